package vigiltest

import (
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vigil/api/contract"
	"vigil/gitwatch/gittest"
)

// front is a stock git server that does wrong when it is told to.
type front struct {
	git   http.Handler
	how   atomic.Pointer[string] // nil: right
	away  atomic.Int32           // requests at the host that it sends people to
	other *httptest.Server
}

func newFront(t *testing.T, repo string) (f *front, url string) {
	t.Helper()
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	f = &front{git: &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + repo, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}}
	f.other = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { f.away.Add(1) }))
	t.Cleanup(f.other.Close)
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL + "/.git"
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	how := ""
	if h := f.how.Load(); h != nil {
		how = *h
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ref := func(name string) string {
		line := strings.Repeat("0", 39) + "1 refs/heads/" + name + "\n"
		return fmt.Sprintf("%04x%s", len(line)+4, line)
	}
	refs := func(line string, pause <-chan time.Time) { // without an end
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		for text := "001e# service=git-upload-pack\n0000" + ref("first\x00ofs-delta"); ; text = line {
			if _, err := w.Write([]byte(text)); err != nil {
				return
			}
			if pause == nil {
				continue
			}
			w.(http.Flusher).Flush()
			select {
			case <-pause:
			case <-r.Context().Done():
				return
			}
		}
	}
	switch how {
	case "":
		f.git.ServeHTTP(w, r)
	case "hangs":
		<-r.Context().Done()
	case "trickles":
		refs(ref("next"), tick.C)
	case "never ends":
		refs(ref(strings.Repeat("x", 1000)), nil)
	case "redirects elsewhere":
		http.Redirect(w, r, f.other.URL+r.URL.RequestURI(), http.StatusFound)
	case "redirects in circles":
		http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
	case "is broken":
		http.Error(w, "out of order", http.StatusInternalServerError)
	case "is a web site":
		fmt.Fprintln(w, "<html>welcome")
	}
}

// TestDesired_ARemoteThatDoesWrongIsSaid: whatever a remote does to who asks it, a
// look ends in its time and says why the host does not follow; drift is healed
// meanwhile, people are answered, memory stays bounded, and when the remote is right
// again so is the host.
func TestDesired_ARemoteThatDoesWrongIsSaid(t *testing.T) {
	repo := gittest.Repo(t)
	remote, url := newFront(t, repo.Path)
	const key = "0123456789abcdef"
	f := newField(t, 1, fmt.Sprintf("source = \"remote\"\nurl = %q\ntimeout = \"1s\"\nwebhook_secret = \"env:HOOK\"\n", url))
	f.env = append(f.env, "HOOK="+key)
	commit := func(text string) {
		t.Helper()
		repo.Commit(text, "-- host.yaml --\n"+f.document("a", text+"\n", quick))
	}
	look := func() { // as the remote's webhook asks for
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/api/v1/git/webhook", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Gitlab-Token", key)
		resp, err := f.raw.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("the webhook is answered %s", resp.Status)
		}
	}
	stalled := func() string {
		t.Helper()
		began := time.Now()
		var d contract.Desired
		if err := f.get(t.Context(), "/api/v1/desired", &d); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); Late(took, answers) {
			t.Errorf("somebody waited %s", took)
		}
		return d.Stalled
	}
	commit("right")
	f.mustBeReady(Binary)
	f.becomes("a", "file 0644 right\n")
	for how, want := range map[string]string{
		"hangs": "not done within 1s", "trickles": "not done within 1s", "never ends": "over its cap",
		"redirects elsewhere": "which is not followed", "redirects in circles": "redirects too often",
		"is broken": "500", "is a web site": "the remote",
	} {
		t.Run(how, func(t *testing.T) {
			remote.how.Store(&how)
			commit(how)
			look()
			if !Until(func() bool { return strings.Contains(stalled(), want) }) {
				t.Fatalf("it is said %q\n%s", stalled(), f.log)
			}
			t.Logf("stalled: %s", stalled())
			f.heals()
			look() // one is under way when the remote comes to its senses
			remote.how.Store(nil)
			if !Until(func() bool { look(); return is(f.at("a")) == "file 0644 "+how+"\n" && stalled() == "" }) {
				t.Fatalf("a is %q; stalled: %s\n%s", is(f.at("a")), stalled(), f.log)
			}
		})
	}
	if n := remote.away.Load(); n > 0 {
		t.Errorf("another host heard %d requests", n)
	}
	if peak := (&victim{lane: f.lane}).peak(); peak > 160<<20 {
		t.Errorf("%d MiB", peak>>20)
	}
	f.stop()
}
