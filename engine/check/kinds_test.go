package check

import (
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/engine/check/probe"
	"vigil/engine/check/secret"
	"vigil/engine/document"
	"vigil/engine/series"
)

// read makes one definition from a spec, failing on issues.
func read(t *testing.T, spec string, deps probe.Deps) Definition {
	t.Helper()
	ds, is := document.Parse("check.yaml", []byte("apiVersion: vigil/v1\nkind: Check\nmetadata: {name: it}\nspec:\n"+spec), document.Folder)
	if len(is) > 0 {
		t.Fatal(is)
	}
	d, is := FromDocument(ds[0], deps)
	if len(is) > 0 {
		t.Fatal(is)
	}
	return d
}

// measure runs a check once.
func measure(t *testing.T, d Definition) (map[string]float64, error) {
	t.Helper()
	got := map[string]float64{}
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	err := d.check.Collect(ctx, func(ls series.Labels, v float64) { got[ls.String()] = v })
	return got, err
}

// reality runs checks against the real /proc, with secrets from a folder of the test.
func reality(t *testing.T) (probe.Deps, string) {
	dir := t.TempDir()
	return probe.Deps{Proc: "/proc", Secret: secret.Resolver([]string{dir}, []string{"VIGIL_TEST_SECRET"})}, dir
}

func wantDown(t *testing.T, err error, part string) {
	t.Helper()
	var d probe.Down
	if !errors.As(err, &d) || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want down with %q", err, part)
	}
}

func TestHTTPCheck(t *testing.T) {
	deps, dir := reality(t)
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization")+r.Header.Get("X-Key") != "" {
			t.Error("a secret was taken along to another host")
		}
		io.WriteString(w, "elsewhere")
	}))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "all is well") })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	mux.HandleFunc("/hop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", 302) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", 302) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, 302) })
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 3<<20)) })
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer hush" || r.Method != "POST" || string(b) != "ping" || r.Host != "shop.example" {
			w.WriteHeader(403)
		}
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	secure := httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name, spec string
		want       map[string]float64
		has        []string
		down       string
	}{
		{"ok", "url: " + web.URL + "/ok", map[string]float64{"vigil_http_status_code": 200, "vigil_http_body_bytes": 11, "vigil_http_redirects": 0}, []string{"vigil_http_duration_seconds", "phase connect", "phase first_byte", "phase transfer"}, ""},
		{"status", "url: " + web.URL + "/bad", map[string]float64{"vigil_http_status_code": 503}, nil, "status 503"},
		{"status asked for", "url: " + web.URL + "/bad\n  status: ['200-299', 5xx]", map[string]float64{"vigil_http_status_code": 503}, nil, ""},
		{"match", "url: " + web.URL + "/ok\n  match: 'is\\s+well'\n  no_match: ill", map[string]float64{"vigil_http_match": 1}, nil, ""},
		{"no match", "url: " + web.URL + "/ok\n  match: broken", map[string]float64{"vigil_http_match": 0}, nil, "body is not what"},
		{"redirect", "url: " + web.URL + "/hop", map[string]float64{"vigil_http_status_code": 200, "vigil_http_redirects": 1}, nil, ""},
		{"redirect not followed", "url: " + web.URL + "/hop\n  redirects: 0\n  status: ['302']", map[string]float64{"vigil_http_status_code": 302, "vigil_http_redirects": 0}, nil, ""},
		{"redirects for ever", "url: " + web.URL + "/loop", map[string]float64{"vigil_http_status_code": 302}, nil, "status 302"},
		{"secrets stay", "url: " + web.URL + "/away\n  headers: {Authorization: 'Bearer file:" + dir + "/token', X-Key: 'file:" + dir + "/token'}", map[string]float64{"vigil_http_status_code": 200}, nil, ""},
		{"request", "url: " + web.URL + "/auth\n  method: POST\n  body: ping\n  host: shop.example\n  headers: {Authorization: 'Bearer file:" + dir + "/token'}", map[string]float64{"vigil_http_status_code": 200}, nil, ""},
		{"cap", "url: " + web.URL + "/big\n  max_output: 2048", map[string]float64{"vigil_http_body_bytes": 2048}, nil, ""},
		{"timeout", "url: " + web.URL + "/hang\n  timeout: 100ms", nil, []string{"phase connect"}, "deadline"},
		{"refused", "url: http://127.0.0.1:1/", nil, nil, "refused"},
		{"tls", "url: " + secure.URL + "/ok\n  ca: file:" + ca, map[string]float64{"vigil_http_status_code": 200}, []string{"phase tls", "vigil_tls_days_left"}, ""},
		{"tls unknown authority", "url: " + secure.URL + "/ok", nil, []string{"vigil_tls_days_left"}, "unknown authority"},
		{"tls insecure", "url: " + secure.URL + "/ok\n  insecure: true", map[string]float64{"vigil_http_status_code": 200}, []string{"vigil_tls_days_left"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := measure(t, read(t, "  kind: http\n  "+c.spec, deps))
			if c.down != "" {
				wantDown(t, err, c.down)
			} else if err != nil {
				t.Error(err)
			}
			for name, v := range c.want {
				if g, ok := got[name+`{check="it"}`]; !ok || g != v {
					t.Errorf("%s is %v (%v), want %v", name, g, ok, v)
				}
			}
			for _, name := range c.has {
				key := name + `{check="it"}`
				if phase, ok := strings.CutPrefix(name, "phase "); ok {
					key = `vigil_http_phase_seconds{check="it",phase="` + phase + `"}`
				}
				if v, ok := got[key]; !ok || v <= 0 {
					t.Errorf("%s is %v (%v), want more than 0", key, v, ok)
				}
			}
		})
	}
}

func TestTCPCheck(t *testing.T) {
	deps, _ := reality(t)
	socket := filepath.Join(t.TempDir(), "s")
	lns := map[string]net.Listener{}
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": socket} {
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		lns[network] = ln
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					io.WriteString(conn, "220 mail ready\r\n")
					b := make([]byte, 64)
					n, _ := conn.Read(b)
					fmt.Fprintf(conn, "echo %s", b[:n])
					io.Copy(io.Discard, conn)
				}()
			}
		}()
	}
	addr := lns["tcp"].Addr().String()
	for _, c := range []struct{ name, spec, down string }{
		{"connect", "address: '" + addr + "'", ""},
		{"banner", "address: '" + addr + "'\n  expect: '^220 '", ""},
		{"unix", "address: unix:" + socket + "\n  send: hello\n  expect: echo hello", ""},
		{"no match", "address: '" + addr + "'\n  expect: never\n  timeout: 200ms", "no answer that matches"},
		{"refused", "address: 127.0.0.1:1", "refused"},
		{"not tls", "address: '" + addr + "'\n  tls: true\n  timeout: 1s", "tls"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := measure(t, read(t, "  kind: tcp\n  "+c.spec, deps))
			if c.down != "" {
				wantDown(t, err, c.down)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []string{"vigil_tcp_connect_seconds", "vigil_tcp_duration_seconds"} {
				if v := got[n+`{check="it"}`]; v <= 0 {
					t.Errorf("%s is %v", n, v)
				}
			}
		})
	}
}

// launch starts real programs from a folder, as the daemon's launcher would.
func launch(dir string) Launch {
	return func(ctx context.Context, c Command) (Ended, error) {
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(dir, c.Name), c.Args...)
		out, err := cmd.CombinedOutput()
		e := Ended{Output: out, TimedOut: ctx.Err() != nil}
		if cmd.ProcessState == nil {
			return e, err
		}
		e.Exit = cmd.ProcessState.ExitCode()
		return e, nil
	}
}

func TestProgramCheck(t *testing.T) {
	deps, _ := reality(t)
	dir := t.TempDir()
	deps.Launch = launch(dir)
	for name, text := range map[string]string{
		"check_ok":   `echo "DISK OK - free|/=2643MB;5948;5958;0;5968 'a b'=1,5ms"`,
		"check_warn": `echo "WARN|load=5"; exit 1`,
		"check_crit": `echo "CRITICAL - $1 $2"; exit 2`,
		"check_odd":  `echo odd; exit 42`,
		"check_hang": `exec sleep 60`,
		"check_kill": `kill -9 $$`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, spec string
		status     float64
		down, err  string
	}{
		{"ok", "program: check_ok", 0, "", ""},
		{"warning is up", "program: check_warn", 1, "", ""},
		{"critical", "program: check_crit\n  args: [-H, 'a b; c']", 2, "CRITICAL (exit 2): CRITICAL - -H a b; c", ""},
		{"odd exit", "program: check_odd", 3, "UNKNOWN (exit 42)", ""},
		{"odd exit mapped", "program: check_odd\n  exit_map: {'42': 0}", 0, "", ""},
		{"match", "program: check_ok\n  match: 'DISK OK'", 0, "", ""},
		{"no match", "program: check_ok\n  match: 'DISK FULL'", 2, "does not match", ""},
		{"hang", "program: check_hang\n  timeout: 300ms", 3, "", "did not end within"},
		{"killed", "program: check_kill", 3, "ended by a signal", ""},
		{"missing", "program: check_none", -1, "", "start check_none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := measure(t, read(t, "  kind: program\n  "+c.spec, deps))
			switch {
			case c.down != "":
				wantDown(t, err, c.down)
			case c.err != "":
				var d probe.Down
				if err == nil || errors.As(err, &d) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want a failure with %q", err, c.err)
				}
			case err != nil:
				t.Error(err)
			}
			if s, ok := got[`vigil_check_status{check="it"}`]; c.status >= 0 && (!ok || s != c.status) {
				t.Errorf("status is %v (%v), want %v", s, ok, c.status)
			}
			if c.name == "ok" {
				if v := got[`vigil_check_perfdata{check="it",label="/",unit="B"}`]; v != 2643<<20 {
					t.Errorf("perfdata / is %v", v)
				}
				if v := got[`vigil_check_perfdata{check="it",label="a b",unit="s"}`]; math.Abs(v-0.0015) > 1e-12 {
					t.Errorf("perfdata 'a b' is %v", v)
				}
			}
		})
	}
}

func TestProcessCheck(t *testing.T) {
	deps, _ := reality(t)
	start := func() *exec.Cmd {
		cmd := exec.Command("/bin/sleep", "314.159")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	stop := func(c *exec.Cmd) { c.Process.Kill(); c.Wait() }
	one := start()
	pidfile := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(pidfile, fmt.Appendf(nil, "%d\n", one.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	parent := fmt.Sprintf("\n  parent: %d", os.Getpid())
	byPID := read(t, "  kind: process\n  pidfile: "+pidfile, deps)
	byLine := read(t, "  kind: process\n  cmdline: 'sleep 314\\.159$'"+parent+"\n  pss: true\n  children: true", deps)
	twice := read(t, "  kind: process\n  cmdline: 'sleep 314\\.159$'\n  min: 2\n  max: 2"+parent, deps)
	for name, d := range map[string]Definition{"pidfile": byPID, "cmdline": byLine} {
		// Between fork and exec the child still is this test's own program.
		var got map[string]float64
		var err error
		for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
			if got, err = measure(t, d); err == nil && got[`vigil_process_resident_memory_bytes{check="it"}`] > 0 {
				break
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, m := range []string{"count", "threads", "resident_memory_bytes", "open_fds", "open_fds_ratio"} {
			if v := got["vigil_process_"+m+`{check="it"}`]; v <= 0 {
				t.Errorf("%s: %s is %v", name, m, v)
			}
		}
		if v, ok := got[`vigil_process_uptime_seconds{check="it"}`]; !ok || v < 0 || v > 60 {
			t.Errorf("%s: uptime is %v (%v)", name, v, ok)
		}
	}
	if _, err := measure(t, twice); err == nil {
		t.Error("one process passes for two")
	} else {
		wantDown(t, err, "at least 2")
	}
	// A restart between two rounds is a change, though the number is the same.
	stop(one)
	two := start()
	var got map[string]float64
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		var err error
		if got, err = measure(t, byLine); err == nil {
			break
		}
	}
	if v := got[`vigil_process_changes_total{check="it"}`]; v != 1 {
		t.Errorf("changes is %v after one restart, want 1", v)
	}
	if _, err := measure(t, byPID); err == nil {
		t.Error("the pid file names a process that has ended, and the check is up")
	}
	// A zombie is not a process that runs.
	two.Process.Kill()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		var err error
		if got, err = measure(t, read(t, "  kind: process\n  name: sleep"+parent, deps)); err != nil && got[`vigil_process_zombies{check="it"}`] == 1 {
			wantDown(t, err, "only zombies")
			break
		}
	}
	if got[`vigil_process_zombies{check="it"}`] != 1 {
		t.Error("the zombie was not told")
	}
	two.Wait()
}

// TestPidfileTellsNothing: a pid file that holds something else does not get its
// content into an error.
func TestPidfileTellsNothing(t *testing.T) {
	deps, dir := reality(t)
	path := filepath.Join(dir, "shadow")
	if err := os.WriteFile(path, []byte("root:verysecret:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := measure(t, read(t, "  kind: process\n  pidfile: "+path, deps))
	if err == nil || strings.Contains(err.Error(), "verysecret") {
		t.Errorf("got %v", err)
	}
	got, err := measure(t, read(t, "  kind: process\n  pidfile: "+path+"-not-there", deps))
	wantDown(t, err, "at least 1")
	if got[`vigil_process_count{check="it"}`] != 0 {
		t.Error("a missing pid file is not zero processes")
	}
}

const exposition = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",job="app"} 1027 1395066363000
http_requests_total{code="500"} 3
# TYPE rpc_seconds histogram
rpc_seconds_bucket{le="0.5"} 2
rpc_seconds_bucket{le="+Inf"} 5
rpc_seconds_sum 7.5
rpc_seconds_count 5
# TYPE gc summary
gc{quantile="0.5"} 0.1
gc_sum 1
gc_count 2
plain NaN
go_dropped 1
`

func TestScrapeCheck(t *testing.T) {
	deps, _ := reality(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds") == "" {
			t.Error("the exporter is not told how long it has")
		}
		io.WriteString(w, exposition)
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, exposition)
		z.Close()
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 24 {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		z.Close()
	})
	mux.HandleFunc("/many", func(w http.ResponseWriter, r *http.Request) {
		for i := range 300 {
			fmt.Fprintf(w, "m{i=\"%d\"} 1\n", i)
		}
	})
	mux.HandleFunc("/comments", func(w http.ResponseWriter, r *http.Request) {
		for i := range 50_000 {
			fmt.Fprintf(w, "# HELP m%d x\n", i)
		}
	})
	mux.HandleFunc("/labels", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "wide{a=\"1\",b=\"2\",c=\"3\"} 1\nlong{a=\""+strings.Repeat("x", 5000)+"\"} 1\nmarked{origin=\"open\"} 1\nfine 1\n")
	})
	mux.HandleFunc("/html", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>no</html>") })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	own := `instance="` + host + `",job="it"`

	for _, path := range []string{"/plain", "/gzip"} {
		got, err := measure(t, read(t, "  kind: scrape\n  url: "+srv.URL+path+"\n  drop: 'go_.*'", deps))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]float64{
			`http_requests_total{code="200",exported_job="app",` + own + `}`: 1027,
			`http_requests_total{code="500",` + own + `}`:                    3,
			`rpc_seconds_bucket{` + own + `,le="0.5"}`:                       2,
			`rpc_seconds_bucket{` + own + `,le="+Inf"}`:                      5,
			`rpc_seconds_count{` + own + `}`:                                 5,
			`gc{` + own + `,quantile="0.5"}`:                                 0.1,
			`up{` + own + `}`:                                                1,
			`scrape_samples_scraped{` + own + `}`:                            11,
			`scrape_samples_post_metric_relabeling{` + own + `}`:             10,
		} {
			if g, ok := got[k]; !ok || g != v {
				t.Errorf("%s: %s is %v (%v), want %v", path, k, g, ok, v)
			}
		}
		for k := range got {
			if strings.HasPrefix(k, "go_") {
				t.Errorf("%s was to be dropped", k)
			}
		}
	}
	got, err := measure(t, read(t, "  kind: scrape\n  url: "+srv.URL+"/plain\n  honor_labels: true\n  keep: http_.*", deps))
	if err != nil || got[`http_requests_total{code="200",instance="`+host+`",job="app"}`] != 1027 {
		t.Errorf("honor_labels: %v, %v", got, err)
	}
	got, err = measure(t, read(t, "  kind: scrape\n  url: "+srv.URL+"/labels\n  label_limit: 3", deps))
	if err != nil || got[`vigil_scrape_samples_refused{check="it"}`] != 3 || got[`fine{`+own+`}`] != 1 {
		t.Errorf("labels over their limits: %v, %v; want 3 refused", got, err)
	}
	for _, c := range []struct{ path, more, down string }{
		{"/bomb", "\n  max_output: 1048576", "over max_output"},
		{"/plain", "\n  max_output: 1024\n  sample_limit: 3", "11 samples are over sample_limit (3)"},
		{"/many", "\n  max_output: 1024", "over max_output"},
		{"/comments", "", "comments are over"},
		{"/html", "", "not the text format"},
		{"/bad", "", "status 500"},
	} {
		got, err := measure(t, read(t, "  kind: scrape\n  url: "+srv.URL+c.path+c.more, deps))
		wantDown(t, err, c.down)
		if v, ok := got[`up{`+own+`}`]; !ok || v != 0 || len(got) != 2 {
			t.Errorf("%s: up is %v (%v) among %d samples, want 0 and its duration alone", c.path, v, ok, len(got))
		}
	}
}

func TestSecretsAreConfined(t *testing.T) {
	deps, dir := reality(t)
	outside := filepath.Join(t.TempDir(), "other")
	for path, text := range map[string]string{filepath.Join(dir, "ok"): "fine\n", outside: "not yours"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VIGIL_TEST_SECRET", "from the environment")
	t.Setenv("VIGIL_TEST_OTHER", "not yours")
	for ref, want := range map[string]string{
		"file:" + dir + "/ok":         "fine",
		"env:VIGIL_TEST_SECRET":       "from the environment",
		"env:VIGIL_TEST_OTHER":        "",
		"env:PATH":                    "",
		"file:" + outside:             "",
		"file:" + dir + "/link":       "",
		"file:" + dir + "/../x/other": "",
		"file:" + dir:                 "",
		"file:/etc/passwd":            "",
		"plain":                       "",
	} {
		got, err := deps.Secret(ref)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s gave %q, %v; want %q", ref, got, err, want)
		}
	}
}
