package vigiltest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// running is a daemon that a script started.
type running struct {
	cmd  *exec.Cmd
	log  *logged
	done chan struct{}
}

// logged is a daemon's output, safe to read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type daemonKey struct{}

// Params are the parameters of a script run: where the binary is, what a script
// finds around it, and the verbs below.
//
//	start [ARG...]            start vigild and wait until it is ready
//	halt                      SIGTERM, and wait for a clean end; stop is the runner's own verb, and ends the script
//	kill9                     SIGKILL, and wait
//	reload                    SIGHUP
//	log PATTERN               wait until the daemon's log matches
//	push NAME VALUE [K=V...]  push one sample over the socket
//	http METHOD PATH [FILE]   speak to the daemon over its socket; the body is stdout, the status $STATUS
//	wait-for PATTERN CMD...   run a command until its output matches
//	kill-process NAME         SIGKILL a supervised process by the pid in its pid file
//	wait-file FILE PATTERN    wait until a file matches
//	expand FILE               put the values of $NAMES into a file
func Params(binary, dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			sock, err := os.MkdirTemp("", "vt") // a socket's path may not be long
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(sock) })
			r := &running{log: &logged{}}
			e.Values[daemonKey{}] = r
			e.Defer(func() { // what a daemon keeps outlives it
				r.end(syscall.SIGKILL)
				endKept(e.WorkDir)
			})
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("VIGIL_SOCKET", filepath.Join(sock, "s", "v.sock"))
			e.Setenv("VIGIL_API_SOCKET", filepath.Join(sock, "s", "v.sock"))
			e.Setenv("VIGIL_DATA_DIR", filepath.Join(e.WorkDir, "data"))
			e.Setenv("VIGIL_API_LISTEN", "127.0.0.1:0")
			e.Setenv("VIGIL_CONFIG", filepath.Join(e.WorkDir, "vigil.toml"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("BINARY", binary)
			toml := filepath.Join(e.WorkDir, "vigil.toml")
			if _, err := os.Stat(toml); os.IsNotExist(err) {
				return os.WriteFile(toml, nil, 0o644)
			}
			return os.Chmod(toml, 0o644)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":        start,
			"halt":         func(ts *testscript.TestScript, neg bool, args []string) { stop(ts, neg, syscall.SIGTERM) },
			"kill9":        func(ts *testscript.TestScript, neg bool, args []string) { stop(ts, true, syscall.SIGKILL) },
			"reload":       reload,
			"log":          logMatches,
			"push":         push,
			"http":         request,
			"wait-for":     waitFor,
			"kill-process": killProcess,
			"wait-file":    waitFile,
			"expand":       expand,
		},
	}
}

func of(ts *testscript.TestScript) *running { return ts.Value(daemonKey{}).(*running) }

// end signals and waits; a daemon that does not end in time is killed.
func (r *running) end(sig os.Signal) error {
	if r.cmd == nil {
		return nil
	}
	_ = r.cmd.Process.Signal(sig)
	select {
	case <-r.done:
	case <-time.After(Patience):
		_ = r.cmd.Process.Kill()
		<-r.done
		return fmt.Errorf("did not stop within %s", Patience)
	}
	code := r.cmd.ProcessState.ExitCode()
	r.cmd = nil
	if code != 0 {
		return fmt.Errorf("exit code %d", code)
	}
	return nil
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	if r.cmd != nil {
		ts.Fatalf("a daemon is running already")
	}
	r.log = &logged{}
	cmd := exec.Command(ts.Getenv("BINARY"), append([]string{"run"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "VIGIL_SOCKET", "VIGIL_API_SOCKET", "VIGIL_DATA_DIR", "VIGIL_API_LISTEN", "VIGIL_CONFIG", "VIGIL_LOG_LEVEL", "VIGIL_API_AUTH"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	ts.Check(cmd.Start())
	r.cmd, r.done = cmd, make(chan struct{})
	go func() { _ = cmd.Wait(); close(r.done) }()
	ended := func() bool {
		select {
		case <-r.done:
			return true
		default:
			return false
		}
	}
	Until(func() bool { return ended() || readyLine.MatchString(r.log.String()) })
	m := readyLine.FindStringSubmatch(r.log.String())
	switch {
	case neg && ended():
		r.cmd = nil
		return
	case m == nil:
		ts.Fatalf("vigild is not ready:\n%s", r.log)
	case neg:
		ts.Fatalf("vigild started, and should not have")
	}
	scheme := "http://"
	if strings.Contains(r.log.String(), " tls=true") {
		scheme = "https://"
	}
	ts.Setenv("URL", scheme+m[1])
}

var readyLine = regexp.MustCompile(`msg="?ready"? .*listen=(\S+)`)

func stop(ts *testscript.TestScript, neg bool, sig os.Signal) {
	r := of(ts)
	if err := r.end(sig); err != nil && !neg {
		ts.Fatalf("%v:\n%s", err, r.log)
	}
}

func reload(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(of(ts).cmd.Process.Signal(syscall.SIGHUP))
}

func logMatches(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: log PATTERN")
	}
	re, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	r := of(ts)
	if neg {
		if re.MatchString(r.log.String()) {
			ts.Fatalf("the log matches %s:\n%s", args[0], r.log)
		}
		return
	}
	if !Until(func() bool { return re.MatchString(r.log.String()) }) {
		ts.Fatalf("the log never matched %s:\n%s", args[0], r.log)
	}
}

// overSocket speaks HTTP over the daemon's socket.
func overSocket(ts *testscript.TestScript) *http.Client {
	sock := ts.Getenv("VIGIL_SOCKET")
	return &http.Client{Timeout: Patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", sock)
		},
	}}
}

func send(ts *testscript.TestScript, method, path, kind string, body []byte) (int, []byte) {
	req, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(body))
	ts.Check(err)
	if len(body) > 0 {
		req.Header.Set("Content-Type", kind)
	}
	if key := ts.Getenv("IDEMPOTENCY_KEY"); key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := overSocket(ts).Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, text
}

func push(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: push NAME VALUE [K=V...]")
	}
	var tags []string
	for _, kv := range args[2:] {
		k, v, _ := strings.Cut(kv, "=")
		tags = append(tags, strconv.Quote(k)+":"+strconv.Quote(v))
	}
	body := fmt.Sprintf(`{"name":%q,"value":%s,"tags":{%s}}`, args[0], args[1], strings.Join(tags, ","))
	status, text := send(ts, "POST", "/api/v1/ingest", "application/json", []byte(body))
	if ok := status < 300; ok == neg {
		ts.Fatalf("push: %d %s", status, text)
	}
}

func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [FILE]")
	}
	var body []byte
	if len(args) > 2 {
		body = []byte(ts.ReadFile(args[2]))
	}
	status, text := send(ts, args[0], args[1], "application/json", body)
	ts.Setenv("STATUS", strconv.Itoa(status))
	fmt.Fprintf(ts.Stdout(), "%s", text)
	if ok := status < 400; ok == neg {
		ts.Fatalf("%s %s: %d %s", args[0], args[1], status, text)
	}
}

func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: wait-for PATTERN COMMAND...")
	}
	re, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	var out []byte
	ok := Until(func() bool {
		cmd := exec.Command(ts.Getenv("BINARY"), args[2:]...)
		if args[1] != "vigild" {
			cmd = exec.Command(args[1], args[2:]...)
		}
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"VIGIL_SOCKET=" + ts.Getenv("VIGIL_SOCKET"), "HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "VIGIL_CONFIG=" + ts.Getenv("VIGIL_CONFIG")}
		out, _ = cmd.CombinedOutput()
		return re.Match(out) != neg
	})
	if !ok {
		ts.Fatalf("%s never matched %s; the last output was\n%s\nthe daemon said\n%s", strings.Join(args[1:], " "), args[0], out, of(ts).log)
	}
	fmt.Fprintf(ts.Stdout(), "%s", out)
}

func killProcess(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: kill-process PIDFILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
}

func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: wait-file FILE PATTERN")
	}
	re, err := regexp.Compile(`(?m)` + args[1])
	ts.Check(err)
	var text []byte
	if !Until(func() bool { text, _ = os.ReadFile(ts.MkAbs(args[0])); return re.Match(text) }) {
		ts.Fatalf("%s never matched %s: %q\nthe daemon said\n%s", args[0], args[1], text, of(ts).log)
	}
}

func expand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}
