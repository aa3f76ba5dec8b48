package desired

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"vigil/internal/load/rig"
)

// ground is a vigild, the files that it may manage, and a person's clone.
type ground struct {
	*rig.Daemon
	dir   string // of everything but the daemon's own
	etc   string // the managed files
	clone string // where commits are made
}

// begin starts a vigild with a `[git]` section of these lines, in which CLONE is
// the path of the clone. The clone is empty. On an error nothing is left.
func begin(vigild, git string) (g *ground, err error) {
	dir, err := os.MkdirTemp("", "vigil-load-desired-")
	if err != nil {
		return nil, err
	}
	g = &ground{dir: dir, etc: filepath.Join(dir, "etc"), clone: filepath.Join(dir, "clone")}
	defer func() {
		if err != nil {
			g.end()
		}
	}()
	for _, sub := range []string{g.etc, g.clone} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			return g, err
		}
	}
	if err := g.git("init", "-q", "-b", "main"); err != nil {
		return g, err
	}
	g.Daemon, err = rig.Start(vigild, fmt.Sprintf("%s[git]\npaths = [%q]\n%s", rig.Gates, g.etc, strings.ReplaceAll(git, "CLONE", g.clone)), nil)
	if err != nil {
		return g, err
	}
	return g, g.git("remote", "add", "origin", g.Base+"/git/desired")
}

func (g *ground) end() {
	if g.Daemon != nil {
		g.Stop()
	}
	_ = os.RemoveAll(g.dir)
}

// git runs the stock client in the clone, with no config but what it needs.
func (g *ground) git(args ...string) error {
	_, err := g.says(args...)
	return err
}

func (g *ground) says(args ...string) (string, error) {
	return run(g.clone, gitEnv(g.dir), "git", args...)
}

func gitEnv(home string) []string {
	return []string{"HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_AUTHOR_NAME=load", "GIT_AUTHOR_EMAIL=load@localhost",
		"GIT_COMMITTER_NAME=load", "GIT_COMMITTER_EMAIL=load@localhost", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0",
		"GIT_CONFIG_KEY_1=maintenance.auto", "GIT_CONFIG_VALUE_1=false"}
}

// run runs a program for ten minutes at most; the error holds what it said.
func run(dir string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w:\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

// file is the n-th managed file: its path and what is wanted in it, 1 KiB.
func (g *ground) file(n int) (path, content string) {
	line := fmt.Sprintf("setting_%d = \"%s\"\n", n, strings.Repeat("x", 40))
	return filepath.Join(g.etc, fmt.Sprintf("d%03d", n/100), fmt.Sprintf("f%05d.conf", n)), strings.Repeat(line, 1024/len(line))
}

// document is the document of the n-th file, with content in place of its own
// where that is not "".
func (g *ground) document(n int, content string) string {
	path, own := g.file(n)
	if content == "" {
		content = own
	}
	return fmt.Sprintf("apiVersion: vigil/v1\nkind: File\nmetadata: {name: f%d}\nspec:\n  path: %s\n  permissions: \"0644\"\n  owner: \"%d\"\n  group: \"%d\"\n  content: |\n    %s\n",
		n, path, os.Getuid(), os.Getgid(), strings.ReplaceAll(strings.TrimRight(content, "\n"), "\n", "\n    "))
}

// write puts the documents of files 0 to n-1 in the clone, so many to a YAML
// file, and commits them. made: the files themselves stand already.
func (g *ground) write(n, each int, made bool) error {
	for i := 0; i < n; i += each {
		var b strings.Builder
		for j := i; j < min(i+each, n); j++ {
			b.WriteString("---\n" + g.document(j, ""))
			path, content := g.file(j)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if made {
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					return err
				}
			}
		}
		if err := os.WriteFile(g.yaml(i/each), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return g.commit("documents")
}

func (g *ground) yaml(n int) string { return filepath.Join(g.clone, fmt.Sprintf("files-%05d.yaml", n)) }

func (g *ground) commit(subject string) error {
	if err := g.git("add", "."); err != nil {
		return err
	}
	return g.git("commit", "-q", "-m", subject)
}

// pushWait pushes and stays until the revision is good.
func (g *ground) pushWait() (time.Duration, error) {
	at := time.Now()
	err := g.git("push", "-q", "-o", "wait", "origin", "main")
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, g.Log())
	}
	return time.Since(at), err
}

// usage is what vigild has used so far.
func (g *ground) usage() (rig.Usage, error) { return rig.ReadUsage(g.PID()) }

// figure is one line of its metrics page.
func (g *ground) figure(name string) float64 {
	return g.Metric(func(have string) bool { return have == name })
}
