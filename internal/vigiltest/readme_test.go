package vigiltest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is one fenced block of the README.
type block struct{ kind, file, text string }

var fence = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

func blocks(t *testing.T, file string) []block {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		out = append(out, block{m[1], m[2], m[3]})
	}
	if n := strings.Count(string(text), "```"); n != 2*len(out) {
		t.Fatalf("%s has %d fences, and %d blocks could be read", file, n, len(out))
	}
	return out
}

// TestReadmeBlocks executes every block of the README as it stands there: files
// are written, commands run, in order, in one folder. `go run .` and the test
// command, which would not end or would run this test, are checked for what
// they are: the first is started until it serves, the second is what .ci/run
// calls.
func TestReadmeBlocks(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() {
		if t.Failed() {
			reap(dir)
		}
	})
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+dir, "VIGIL_DATA_DIR=", "VIGIL_CONFIG=")
	for i, b := range blocks(t, filepath.Join(root, "README.md")) {
		switch {
		case b.file != "":
			put(t, filepath.Join(dir, b.file), b.text)
		case b.kind == "text":
		case b.kind != "sh":
			t.Errorf("block %d is %s and nothing says what to do with it", i, b.kind)
		case b.text == "go test -race ./...\n":
			if !strings.Contains(string(ci), "go test -race ./... ") {
				t.Error(".ci/run does not call the README's test command")
			}
		case b.text == "go run .\n":
			serve(t, dir, Binary, env)
		default:
			script := strings.ReplaceAll(b.text, "go build -o vigild .\n", "cp "+Binary+" vigild\n")
			if strings.Contains(script, "./vigild status") {
				script = strings.ReplaceAll(script, "./vigild status", "./vigild status --socket "+filepath.Join(dir, "first.sock"))
			}
			run(t, dir, env, script)
		}
	}
}

// reap ends what a block that failed left running, by the ids that it wrote.
func reap(dir string) {
	for _, name := range []string{"try/vigild.pid", "try/worker.pid", "desired/vigild.pid"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func put(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir string, env []string, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	f, err := os.CreateTemp(dir, "out") // a pipe would wait for what runs in the background
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	err = cmd.Run()
	text, _ := os.ReadFile(f.Name())
	out.Write(text)
	if err != nil {
		for _, name := range []string{"try/log", "desired/log"} {
			log, _ := os.ReadFile(filepath.Join(dir, name))
			t.Logf("%s\n%s", name, log)
		}
		t.Fatalf("%s\n%v\n%s", script, err, out.String())
	}
	t.Logf("%s\n%s", script, out.String())
}

// serve starts the daemon as `go run .` would, but in a folder of its own and on
// a free port, until it says that it is ready; it stays up for the blocks after.
func serve(t *testing.T, dir, binary string, env []string) {
	t.Helper()
	cmd := exec.Command(binary, "run", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "first"), "--socket", filepath.Join(dir, "first.sock"))
	cmd.Dir, cmd.Env = dir, env
	log := &logged{}
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-done; err != nil {
			t.Errorf("the daemon ended with %v:\n%s", err, log)
		}
	})
	if !Until(func() bool { return strings.Contains(log.String(), "vigild is ready in") }) {
		t.Fatalf("not ready:\n%s", log)
	}
	if took := time.Since(began); Late(took, 5*time.Second) {
		t.Errorf("ready after %s, promised within 5 s", took)
	}
}
