// Package gittest is repositories from text and the stock git client, for tests.
//
// [Dir] is a folder in which a person works with git; [Dir.Commit] takes the
// files of a commit as a txtar archive. [Serve] runs a handler on loopback.
//
// The client is the git of the machine, with no config but its own: a test that
// needs it fails where there is none. Everything ends with the test.
package gittest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// Dir is a folder to run git in.
type Dir struct {
	Path string
	Env  []string // more of the environment
	t    testing.TB

	global string // the config of the person: tests need no durable clones
}

// New is an empty folder with a fresh home.
func New(t testing.TB) *Dir {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("this test needs the git client: apt-get install git")
	}
	global := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(global, []byte("[core]\n\tfsync = none\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Dir{Path: t.TempDir(), t: t, global: global}
}

// Repo is a new repository on the branch main.
func Repo(t testing.TB) *Dir {
	t.Helper()
	d := New(t)
	d.Git("init", "-q", "-b", "main")
	return d
}

// In is another folder with the same environment.
func (d *Dir) In(path string) *Dir {
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.Path, path)
	}
	return &Dir{Path: path, Env: d.Env, t: d.t, global: d.global}
}

// Try runs git and returns all that it printed.
func (d *Dir) Try(args ...string) (string, error) {
	d.t.Helper()
	return d.run("", args...)
}

func (d *Dir) run(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = d.Path
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.Path, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + d.global, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	}, d.Env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// Git runs git and fails the test when it fails.
func (d *Dir) Git(args ...string) string {
	d.t.Helper()
	out, err := d.Try(args...)
	if err != nil {
		d.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimRight(out, "\n")
}

// Write writes the files of a txtar archive.
func (d *Dir) Write(archive string) {
	d.t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(d.Path, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
}

// Commit writes the files of a txtar archive, commits all there is, and returns
// the commit's hash.
func (d *Dir) Commit(subject, archive string) string {
	d.t.Helper()
	d.Write(archive)
	d.Git("add", "-A")
	d.Git("commit", "-q", "--allow-empty", "-m", subject)
	return d.Git("rev-parse", "HEAD")
}

// Import makes commits on a branch at once, one for each archive, without a
// checkout, and returns the last one's hash. The first comes after what the
// branch is at; each is a second younger than the one before.
func (d *Dir) Import(branch string, archives ...string) string {
	d.t.Helper()
	var b strings.Builder
	before := 0
	if d.has(branch) {
		before, _ = strconv.Atoi(d.Git("rev-list", "--count", branch))
	}
	for i, a := range archives {
		fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter Ada <ada@example.com> %d +0000\ndata 1\nc\n", branch, 1_700_000_000+before+i)
		if i == 0 && before > 0 {
			fmt.Fprintf(&b, "from refs/heads/%s^0\n", branch)
		}
		for _, f := range txtar.Parse([]byte(a)).Files {
			fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", f.Name, len(f.Data), f.Data)
		}
		b.WriteString("\n")
	}
	if out, err := d.run(b.String(), "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--force"); err != nil {
		d.t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	return d.Git("rev-parse", branch)
}

func (d *Dir) has(branch string) bool {
	_, err := d.Try("rev-parse", "-q", "--verify", "refs/heads/"+branch)
	return err == nil
}

// Serve runs a handler until the test ends; the URL carries a name and a token.
func Serve(t testing.TB, h http.Handler, token string) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("ada", token)
	return u.String()
}

// Until polls a condition until it holds, or fails the test.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
}
