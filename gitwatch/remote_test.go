package gitwatch

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

// upstream is a git server of ours as a remote.
func upstream(t *testing.T) (url string, work *gittest.Dir) {
	t.Helper()
	cfg := Defaults()
	cfg.DataDir = t.TempDir()
	st, err := store.Open(cfg.StoreConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	h, err := receive.New(receive.Defaults(), receive.Deps{Store: st, Authorize: func(*http.Request) (receive.Pusher, error) {
		return receive.Pusher{Name: "ada", Read: true, Push: true, Rewind: true}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	url = gittest.Serve(t, h, "x") + "/git/desired"
	work = gittest.Repo(t)
	work.Git("remote", "add", "origin", url)
	return strings.Replace(url, "ada:x@", "", 1), work
}

func TestRemoteOverHTTPIsPolled(t *testing.T) {
	url, work := upstream(t)
	first := work.Commit("first", motd)
	x := start(t, func(c *Config) { c.Source, c.URL, c.Poll = fromRemote, url, time.Second })
	x.stalls("the remote is empty")
	work.Git("push", "-q", "origin", "main")
	x.lands(first)
	if x.last().Source != objects.Remote {
		t.Errorf("%+v", x.last())
	}
	second := work.Commit("second", "-- x.yaml --\nx\n")
	work.Git("push", "-q", "origin", "main")
	x.lands(second) // by the poll alone
	if n := x.store.Stats().Objects; n != 7 {
		t.Errorf("%d objects: the second fetch brought more than what was new", n)
	}
	work.Git("push", "-q", "-f", "origin", first+":main")
	x.stalls("does not come after")
}

// TestCorruptCloneIsFetchedAgain: the repository is damaged while vigild is down;
// it is set aside at the start and filled from the remote.
func TestCorruptCloneIsFetchedAgain(t *testing.T) {
	url, work := upstream(t)
	first := work.Commit("first", motd)
	work.Git("push", "-q", "origin", "main")
	dir := t.TempDir()
	edit := func(c *Config) { c.Source, c.URL, c.DataDir = fromRemote, url, dir }
	t.Run("before", func(t *testing.T) { start(t, edit).lands(first) })
	packs, err := filepath.Glob(filepath.Join(dir, "git/desired/objects/pack/*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	if err := os.Truncate(packs[0], 40); err != nil {
		t.Fatal(err)
	}
	t.Run("after", func(t *testing.T) {
		x := start(t, edit)
		x.lands(first)
		if x.lost == nil {
			t.Error("the damage was not seen")
		}
	})
}

func TestRemoteFileURLIsReadWithoutAGitProgram(t *testing.T) {
	path, work := bare(t)
	first := work.Commit("first", motd)
	work.Git("push", "-q", "origin", "main")
	t.Setenv("PATH", "")
	x := start(t, func(c *Config) { c.Source, c.URL = fromRemote, "file://"+path })
	x.lands(first)
}

func TestRemoteThatIsGoneIsAskedLessOften(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	x := start(t, func(c *Config) { c.Source, c.URL, c.Poll = fromRemote, "http://"+addr+"/x", time.Minute })
	x.stalls("the remote")
	gittest.Until(t, "five failures", func() bool { x.w.Nudge(); return x.w.State().Fails >= 5 })
	if d := x.w.interval(); d < 12*time.Minute || d > 18*time.Minute {
		t.Errorf("the next look is in %v", d)
	}
}

// TestCredentialsStayAtHome: a remote that redirects to another host gets
// nowhere, and the other host never hears from us.
func TestCredentialsStayAtHome(t *testing.T) {
	var heard atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	defer other.Close()
	var asked atomic.Int32
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, token, ok := r.BasicAuth(); ok && token == "s3cret" {
			asked.Add(1)
		}
		http.Redirect(w, r, other.URL+r.URL.Path+"?"+r.URL.RawQuery, http.StatusFound)
	}))
	defer home.Close()
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Defaults()
	cfg.URL, cfg.Password = home.URL+"/repo", "file:"+secret
	r, err := openRemote(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if _, err := r.tip(context.Background()); err == nil || !strings.Contains(err.Error(), "which is not followed") {
		t.Errorf("%v", err)
	}
	if asked.Load() != 1 || heard.Load() != 0 {
		t.Errorf("home was asked %d times with the token, the other host heard %d requests", asked.Load(), heard.Load())
	}
}

// TestRemoteOverSSHChecksTheHost: a real git-upload-pack behind an SSH server;
// with its key in known_hosts, with another's, and with none.
func TestRemoteOverSSHChecksTheHost(t *testing.T) {
	path, work := bare(t)
	first := work.Commit("first", motd)
	work.Git("push", "-q", "origin", "main")
	hostKey, clientKey := newSigner(t), newSigner(t)
	addr := sshServer(t, hostKey.signer, clientKey.signer.PublicKey())
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	host, port, _ := net.SplitHostPort(addr)
	known := func(s ssh.Signer) string {
		return fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(s.PublicKey()))
	}
	edit := func(hosts string) func(c *Config) {
		return func(c *Config) {
			c.Source, c.URL = fromRemote, "ssh://git@"+addr+path
			c.SSHKey, c.KnownHosts = "file:"+write("key", clientKey.pem), write("known_hosts", hosts)
		}
	}
	t.Run("known", func(t *testing.T) { start(t, edit(known(hostKey.signer))).lands(first) })
	t.Run("another key", func(t *testing.T) { start(t, edit(known(newSigner(t).signer))).stalls("knownhosts: key mismatch") })
	t.Run("unknown", func(t *testing.T) { start(t, edit("")).stalls("knownhosts: key is unknown") })
	t.Run("a name that a shell would take apart", func(t *testing.T) {
		dir := t.TempDir()
		named := filepath.Join(dir, "it's !1 `touch a` $(touch b); touch c # \"x\" \\.git")
		if err := os.Rename(path, named); err != nil {
			t.Fatal(err)
		}
		path = (&url.URL{Path: named}).EscapedPath()
		start(t, edit(known(hostKey.signer))).lands(first)
		if es, err := os.ReadDir(dir); err != nil || len(es) != 1 {
			t.Errorf("beside it stand %v, %v", es, err)
		}
	})
	t.Run("no repository", func(t *testing.T) {
		path = "/nowhere"
		start(t, edit(known(hostKey.signer))).stalls("not appear to be a git repository")
	})
}

// TestRemoteOverSSHThatSaysNothing: a host that falls silent at any point holds a
// look no longer than its time, and a stop not at all.
func TestRemoteOverSSHThatSaysNothing(t *testing.T) {
	hostKey, clientKey := newSigner(t), newSigner(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, silent := range []string{"at once", "before the session", "before the command", "after the command"} {
		addr, heard := silentHost(t, hostKey.signer, silent)
		host, port, _ := net.SplitHostPort(addr)
		edit := func(timeout time.Duration) func(c *Config) {
			return func(c *Config) {
				c.Source, c.URL, c.Timeout = fromRemote, "ssh://git@"+addr+"/x", timeout
				c.SSHKey, c.KnownHosts = "file:"+write("key", clientKey.pem), write("known_hosts", fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(hostKey.signer.PublicKey())))
			}
		}
		t.Run(silent, func(t *testing.T) { start(t, edit(time.Second)).stalls("not done within 1s") })
		before, stopped := heard.Load(), time.Time{}
		t.Run(silent+", and a stop", func(t *testing.T) {
			start(t, edit(time.Hour))
			gittest.Until(t, "it is asked", func() bool { return heard.Load() > before })
			stopped = time.Now()
		})
		if took := time.Since(stopped); took > time.Minute {
			t.Errorf("%s: the stop took %v", silent, took)
		}
	}
}

// silentHost is an ssh server that says nothing from some point on; heard counts
// those who came as far.
func silentHost(t *testing.T, key ssh.Signer, from string) (addr string, heard *atomic.Int32) {
	t.Helper()
	cfg := &ssh.ServerConfig{NoClientAuth: true, PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	cfg.AddHostKey(key)
	heard = &atomic.Int32{}
	return listen(t, func(c net.Conn) {
		if from == "at once" {
			heard.Add(1)
			io.Copy(io.Discard, c)
			return
		}
		conn, channels, reqs, err := ssh.NewServerConn(c, cfg)
		if err != nil {
			return
		}
		defer conn.Close()
		go ssh.DiscardRequests(reqs)
		for nc := range channels {
			if from == "before the session" {
				heard.Add(1)
				continue
			}
			_, reqs, err := nc.Accept()
			if err != nil {
				return
			}
			go func() {
				for r := range reqs {
					heard.Add(1)
					if from == "after the command" {
						r.Reply(true, nil)
					}
				}
			}()
		}
	}), heard
}

// listen serves every connection until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() { l.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { defer c.Close(); serve(c) })
		}
	})
	return l.Addr().String()
}

type keyPair struct {
	signer ssh.Signer
	pem    string
}

func newSigner(t *testing.T) keyPair {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{s, string(pem.EncodeToMemory(block))}
}

// sshServer gives one key's commands to a shell, as sshd does.
func sshServer(t *testing.T, key ssh.Signer, client ssh.PublicKey) string {
	t.Helper()
	cfg := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if string(k.Marshal()) != string(client.Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	cfg.AddHostKey(key)
	return listen(t, func(c net.Conn) {
		conn, chans, reqs, err := ssh.NewServerConn(c, cfg)
		if err != nil {
			return
		}
		defer conn.Close()
		go ssh.DiscardRequests(reqs)
		for nc := range chans {
			ch, reqs, err := nc.Accept()
			if err != nil {
				return
			}
			for r := range reqs {
				r.Reply(r.Type == "exec", nil)
				if r.Type != "exec" {
					continue
				}
				var asked struct{ Command string }
				if err := ssh.Unmarshal(r.Payload, &asked); err != nil {
					return
				}
				cmd := exec.Command("sh", "-c", asked.Command)
				cmd.Dir = t.TempDir()
				cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
				in, err := cmd.StdinPipe()
				if err == nil {
					go func() { io.Copy(in, ch); in.Close() }()
				}
				err = cmd.Run()
				status := uint32(0)
				if err != nil {
					status = 1
				}
				ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
				ch.Close()
				break
			}
		}
	})
}

func TestWebhookIsAHint(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(secret, []byte("key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	body := `{"ref":"refs/heads/evil","repository":{"clone_url":"ext::sh -c evil"}}`
	sum := func(key string) string {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte(body))
		return hex.EncodeToString(m.Sum(nil))
	}
	for _, c := range []struct {
		name, header, value string
		want                int
	}{
		{"GitHub", "X-Hub-Signature-256", "sha256=" + sum("key"), 202},
		{"Gitea", "X-Gitea-Signature", sum("key"), 202},
		{"Forgejo", "X-Forgejo-Signature", sum("key"), 202},
		{"GitLab", "X-Gitlab-Token", "key", 202},
		{"wrong key", "X-Hub-Signature-256", "sha256=" + sum("other"), 403},
		{"no hex", "X-Hub-Signature-256", "sha256=zz", 403},
		{"wrong token", "X-Gitlab-Token", "kez", 403},
		{"SHA-1 alone", "X-Hub-Signature", "sha1=00", 403},
		{"none", "X-Other", "", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			nudges := 0
			r := httptest.NewRequest("POST", "/hook", strings.NewReader(body))
			r.Header.Set(c.header, c.value)
			w := httptest.NewRecorder()
			Webhook("file:"+secret, func() { nudges++ }).ServeHTTP(w, r)
			if w.Code != c.want || (nudges == 1) != (c.want == 202) {
				t.Errorf("%d, %d nudges", w.Code, nudges)
			}
		})
	}
}

func TestRemoteOverSSHIsDialedAt(t *testing.T) {
	for url, want := range map[string]string{
		"ssh://git@git.example.com/x":   "git.example.com:22",
		"ssh://git@10.0.0.1:2222/x":     "10.0.0.1:2222",
		"ssh://git@[2001:db8::1]/x":     "[2001:db8::1]:22",
		"ssh://git@[2001:db8::1]:222/x": "[2001:db8::1]:222",
		"git@github.com:ops/x.git":      "github.com:22",
	} {
		at, err := parseRemote(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := address(at); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestRemoteURLsThatAreTaken(t *testing.T) {
	for url, want := range map[string]string{
		"https://git.example.com/ops/desired.git": "",
		"https://git.example.com:8443/x":          "",
		"ssh://git@git.example.com:2222/x.git":    "",
		"ssh://git.example.com/x.git":             "",
		"git@github.com:ops/desired.git":          "",
		"file:///srv/git/desired.git":             "",
		"http://127.0.0.1:3000/x":                 "",
		"http://[::1]:3000/x":                     "",
		"http://git.example.com/x":                "plain http",
		"ext::sh -c 'touch /tmp/x'":               "spaces",
		"ext::sh":                                 "parts",
		"fd::17":                                  "parts",
		"git://git.example.com/x":                 "is no https, ssh or file URL",
		"ssh://-oProxyCommand=evil/x":             "no name of a host",
		"-oProxyCommand=evil:x":                   "is no https, ssh or file URL",
		"git@-oProxyCommand=x:y":                  "is no https, ssh or file URL",
		"git@host:-u":                             "dash",
		"ssh://git@host/-u":                       "parts",
		"https://user:token@git.example.com/x":    "does not stand in the URL",
		"https://git.example.com/x?y=z":           "parts",
		"file://host/srv":                         "file:///",
		"/srv/git":                                "is no https, ssh or file URL",
		"":                                        "is no https, ssh or file URL",
		"https://git.example.com/\nx":             "control",
	} {
		_, err := parseRemote(url)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v; want %q", url, err, want)
		}
	}
}
