package vigiltest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDesired_HostilePushesAreRefused: trees with links, submodules and names that
// lead elsewhere, a blob that unpacks to a thousand times its size, and one wrong
// document among 20,000. Each is refused with a reason, nothing is applied,
// memory stays bounded and vigild serves within a second.
func TestDesired_HostilePushesAreRefused(t *testing.T) {
	f := newField(t, 1, "")
	f.mustBeReady(Binary)
	was := f.follows(f.document("a", "as it should be\n"))
	refuse := func(name, commit, want string) {
		t.Helper()
		done, slow := make(chan struct{}), make(chan time.Duration, 1)
		go func() { // somebody asks all the while
			var worst time.Duration
			defer func() { slow <- worst }()
			for {
				began := time.Now()
				_, _, _ = f.ask(t.Context(), "GET", "/healthz", nil)
				worst = max(worst, time.Since(began))
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
		began := time.Now()
		out, err := f.work.Try("-c", "core.protectHFS=false", "push", "-q", f.url(), commit+":main")
		close(done)
		took, worst := time.Since(began), <-slow
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v %.400s", name, err, out)
		}
		if got := f.refs()["refs/heads/main"]; got != was {
			t.Fatalf("%s: the branch is at %s", name, got)
		}
		if Late(worst, answers) {
			t.Errorf("%s: somebody waited %s", name, worst)
		}
		peak := (&victim{lane: f.lane}).peak()
		t.Logf("%s: refused after %s, others waited %s at most, peak %d MiB", name, took.Round(time.Millisecond), worst.Round(time.Millisecond), peak>>20)
		if peak > 160<<20 {
			t.Errorf("%s: %d MiB", name, peak>>20)
		}
		if odd := f.litter(); len(odd) > 0 {
			t.Errorf("%s: %v", name, odd)
		}
	}
	raw := func(args []string, in string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = f.work.Path, strings.NewReader(in)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=E", "GIT_AUTHOR_EMAIL=e@example.com", "GIT_COMMITTER_NAME=E", "GIT_COMMITTER_EMAIL=e@example.com")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	blob := raw([]string{"hash-object", "-w", "--stdin"}, "x\n")
	// Beside each stands what is right, so that nothing else is wrong.
	fine := "100644 blob " + raw([]string{"rev-parse", was + ":host.yaml"}, "") + "\thost.yaml\n"
	for _, tt := range []struct{ name, mode, kind, path, id string }{
		{"a link", "120000", "blob", "link", blob},
		{"a submodule", "160000", "commit", "module", was},
		{"a .git", "100644", "blob", ".git", blob},
		{"a .GIT", "100644", "blob", ".GIT", blob},
		{"a git~1", "100644", "blob", "git~1", blob},
		{"a parent", "100644", "blob", "..", blob},
		{"a backslash", "100644", "blob", `a\b`, blob},
	} {
		tree := raw([]string{"mktree"}, fine+fmt.Sprintf("%s %s %s\t%s\n", tt.mode, tt.kind, tt.id, tt.path))
		refuse(tt.name, raw([]string{"commit-tree", "-p", was, "-m", "hostile", tree}, ""), "rejected")
	}
	bomb := filepath.Join(f.dir, "bomb")
	put(t, bomb, "")
	if err := os.Truncate(bomb, 200<<20); err != nil {
		t.Fatal(err)
	}
	id := raw([]string{"hash-object", "-w", bomb}, "")
	tree := raw([]string{"mktree"}, fine+"100644 blob "+id+"\tbomb\n")
	refuse("a bomb", raw([]string{"commit-tree", "-p", was, "-m", "bomb", tree}, ""), "an object of 209715200 bytes")

	var files strings.Builder
	for i := range 20 {
		fmt.Fprintf(&files, "-- part%d.yaml --\n", i)
		for j := range 1000 {
			mode := "0644"
			if i == 13 && j == 700 {
				mode = "rw-r--r--"
			}
			fmt.Fprintf(&files, "---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: f%d-%d}\nspec: {path: %s/f%d-%d, permissions: \"%s\", content: x}\n", i, j, f.managed(), i, j, mode)
		}
	}
	f.work.Git("checkout", "-q", "--detach", was)
	refuse("one wrong document among 20,000", f.work.Commit("many", files.String()), "part13.yaml:")
	if h := f.host(); len(h) != 1 {
		t.Errorf("%d things are in the folder", len(h))
	}
	put(t, f.at("a"), "by hand\n")
	f.becomes("a", "file 0644 as it should be\n")
	f.stop()
}
