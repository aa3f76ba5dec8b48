package gitwatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/store"
)

// signs makes git sign with a key of ours, through its own SSH support.
func signs(t *testing.T, d *gittest.Dir, k keyPair) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(k.pem), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(k.signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Git("config", "gpg.format", "ssh")
	d.Git("config", "user.signingkey", path)
	d.Git("config", "commit.gpgsign", "true")
}

func allowed(k keyPair) string {
	return "ada@example.com " + string(ssh.MarshalAuthorizedKey(k.signer.PublicKey()))
}

func listOf(t *testing.T, ks ...keyPair) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "allowed_signers")
	var b strings.Builder
	for _, k := range ks {
		b.WriteString(allowed(k))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUnsignedStallsAtThePathByName: signing required; unsigned and unknown are
// named, and signed lands with its signer.
func TestUnsignedStallsAtThePathByName(t *testing.T) {
	root, other := newSigner(t), newSigner(t)
	d := gittest.Repo(t)
	d.Commit("unsigned one", motd)
	x := start(t, func(c *Config) {
		c.Source, c.Path, c.RequireSigned, c.AllowedSigners = fromPath, d.Path, true, listOf(t, root)
	})
	x.stalls("(unsigned one): the commit is not signed")
	signs(t, d, other)
	d.Commit("by a stranger", "-- x.yaml --\nx\n")
	x.stalls(ssh.FingerprintSHA256(other.signer.PublicKey()) + ", which is no allowed signer")
	signs(t, d, root)
	tip := d.Commit("by root", "-- x.yaml --\ny\n")
	x.lands(tip)
	if x.last().Signer != "ada@example.com" {
		t.Errorf("%+v", x.last())
	}
}

// TestSignersInTreeAreThoseOfTheAdoptedCommit: a commit cannot let itself in; one
// that an old signer signed can let a new signer in, from the next commit on.
func TestSignersInTreeAreThoseOfTheAdoptedCommit(t *testing.T) {
	root, eve := newSigner(t), newSigner(t)
	d := gittest.Repo(t)
	signs(t, d, root)
	first := d.Commit("first", motd)
	x := start(t, func(c *Config) {
		c.Source, c.Path, c.RequireSigned, c.AllowedSigners, c.SignersInTree = fromPath, d.Path, true, listOf(t, root), ".vigil/signers"
	})
	x.lands(first)
	signs(t, d, eve)
	d.Commit("eve lets herself in", "-- .vigil/signers --\n"+allowed(eve))
	x.stalls("which is no allowed signer")
	d.Git("reset", "-q", "--hard", first)
	signs(t, d, root)
	second := d.Commit("root lets eve in", "-- .vigil/signers --\n"+allowed(eve))
	x.lands(second)
	signs(t, d, eve)
	x.lands(d.Commit("eve may now", "-- y.yaml --\ny\n"))

	// With an adopted commit on record, its list counts and not the branch's.
	if err := x.store.Mark(store.Applied, x.store.Ref("refs/heads/main")); err != nil {
		t.Fatal(err)
	}
	signs(t, d, root)
	x.lands(d.Commit("eve is out", "-- .vigil/signers --\n# nobody\n"))
	signs(t, d, eve)
	x.lands(d.Commit("but that is not applied yet", "-- y.yaml --\nz\n"))
	if err := x.store.Mark(store.Applied, x.store.Ref("refs/heads/main")); err != nil {
		t.Fatal(err)
	}
	d.Commit("now it is", "-- y.yaml --\nzz\n")
	x.stalls("which is no allowed signer")
}

// TestVerifyAllLooksAtEachNewCommit: an unsigned commit beneath a signed one.
func TestVerifyAllLooksAtEachNewCommit(t *testing.T) {
	root := newSigner(t)
	for all, want := range map[bool]string{false: "", true: "(beneath): the commit is not signed"} {
		t.Run(fmt.Sprint(all), func(t *testing.T) {
			d := gittest.Repo(t)
			signs(t, d, root)
			first := d.Commit("first", motd)
			x := start(t, func(c *Config) {
				c.Source, c.Path, c.RequireSigned, c.AllowedSigners, c.VerifyAll = fromPath, d.Path, true, listOf(t, root), all
			})
			x.lands(first)
			d.Git("config", "commit.gpgsign", "false")
			x.setRefuse(errBroken) // so that both come at once
			d.Commit("beneath", "-- x.yaml --\nx\n")
			d.Git("config", "commit.gpgsign", "true")
			top := d.Commit("on top", "-- x.yaml --\ny\n")
			x.setRefuse(nil)
			x.w.Nudge()
			if want == "" {
				x.lands(top)
				return
			}
			x.stalls(want)
		})
	}
}

// TestWhereSigningIsNotRequired: a good signature is named, everything else is
// nobody's.
func TestWhereSigningIsNotRequired(t *testing.T) {
	root, other := newSigner(t), newSigner(t)
	cfg := Defaults()
	cfg.DataDir, cfg.AllowedSigners = t.TempDir(), listOf(t, root)
	st, err := store.Open(cfg.StoreConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	trust := NewTrust(cfg, st, time.Now)
	for signer, want := range map[*keyPair]string{nil: "", &root: "ada@example.com", &other: ""} {
		raw := []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <ada@example.com> 1700000000 +0000\ncommitter A <ada@example.com> 1700000000 +0000\n\nx\n")
		if signer != nil {
			sig, err := sshsig.Sign(bytes.NewReader(raw), signer.signer, sshsig.HashSHA256, "git")
			if err != nil {
				t.Fatal(err)
			}
			armored := strings.ReplaceAll(strings.TrimSpace(string(sshsig.Armor(sig))), "\n", "\n ")
			raw = bytes.Replace(raw, []byte("\n\n"), []byte("\ngpgsig "+armored+"\n\n"), 1)
		}
		var s Snapshot
		s.Tip.Raw = raw
		if got, err := trust.Verify(context.Background(), s); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if os.Geteuid() == 0 { // else it is nobody's to give to a group
		for gid, says := range map[int]string{0: "", 12: "the group 12 may write them"} {
			if err := errors.Join(os.Chown(cfg.AllowedSigners, 0, gid), os.Chmod(cfg.AllowedSigners, 0o660)); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadSigners(cfg.AllowedSigners); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
				t.Errorf("a list that the group %d may write: %v", gid, err)
			}
		}
	}
	if err := os.Chmod(cfg.AllowedSigners, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Verify(context.Background(), Snapshot{}); err == nil || !strings.Contains(err.Error(), "anybody may write") {
		t.Errorf("a list that anybody may write: %v", err)
	}
}

func TestConfigNamesEachFault(t *testing.T) {
	good := Defaults()
	good.DataDir = "/var/lib/vigil"
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	if got := good.StoreConfig().Dir; got != "/var/lib/vigil/git/desired" {
		t.Error(got)
	}
	for want, edit := range map[string]func(*Config){
		"git.source":                           func(c *Config) { c.Source = "svn" },
		"git.path":                             func(c *Config) { c.Source, c.Path = fromPath, "repo" },
		"git.url":                              func(c *Config) { c.Source, c.URL = fromRemote, "ext::sh" },
		"ssh needs known_hosts":                func(c *Config) { c.Source, c.URL = fromRemote, "git@github.com:x/y" },
		"git.password: a password":             func(c *Config) { c.Source, c.URL, c.Password = fromRemote, "http://localhost/x", "env:X" },
		"never the secret itself":              func(c *Config) { c.Password = "hunter2" },
		"git.webhook_secret":                   func(c *Config) { c.WebhookSecret = "file:relative" },
		"git.ssh_key":                          func(c *Config) { c.SSHKey = "/etc/key" },
		"git.branch":                           func(c *Config) { c.Branch = "../x" },
		"git.name":                             func(c *Config) { c.Name = "a/b" },
		"git.poll":                             func(c *Config) { c.Poll = time.Millisecond },
		"git.writable":                         func(c *Config) { c.Writable = []string{"refs/tags/*"} },
		"git.writable: \"refs/heads/review*\"": func(c *Config) { c.Writable = []string{"refs/heads/review*"} }, // the git server would not start
		"git.writable: \"refs/heads/\"":        func(c *Config) { c.Writable = []string{"refs/heads/"} },
		"git.allowed_signers":                  func(c *Config) { c.RequireSigned = true },
		"only when require_signed":             func(c *Config) { c.TrustCommands = true },
		"git.trust_actions":                    func(c *Config) { c.TrustActions = true },
		"git.known_hosts":                      func(c *Config) { c.KnownHosts = "known_hosts" },
		"git.pack":                             func(c *Config) { c.Pack.Depth = 0 },
		"git.tree":                             func(c *Config) { c.Tree.Depth = 1000 },
	} {
		c := good
		edit(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	off := Config{}
	if err := off.Validate(); err != nil {
		t.Errorf("what is not enabled needs nothing: %v", err)
	}
}
