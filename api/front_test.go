package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/series"
)

// TestPanicEndsItsOwnRequestAlone: 500 in the contract's words, logged with the
// request's id, counted, and the server goes on.
func TestPanicEndsItsOwnRequestAlone(t *testing.T) {
	s := serve(t, nil)
	s.fake.Panic = true
	resp, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/api/v1/policies", Header: map[string]string{"X-Request-ID": "boom-1"}})
	if resp.StatusCode != 500 || strings.Contains(string(body), "planted") || !strings.Contains(string(body), `"error":"Internal server error"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	logged := ""
	for !strings.Contains(logged, "boom-1") {
		select {
		case logged = <-s.log.ch:
		case <-time.After(time.Minute):
			t.Fatal("the panic was not logged")
		}
	}
	s.fake.Panic = false
	if resp, _ := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/api/v1/policies"}); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

// TestInternalErrorsTellStrangersNothing: the text stays in the log.
func TestInternalErrorsTellStrangersNothing(t *testing.T) {
	s := serve(t, nil)
	s.fake.Fail = errors.New("secret path /var/lib")
	_, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "POST", Path: "/api/v1/ingest", Body: `{"name":"a","value":1}`})
	if strings.Contains(string(body), "secret") || !strings.Contains(string(body), `"status":500`) {
		t.Errorf("%s", body)
	}
}

// TestRateLimit: headers on every answer, the original's body at 429, tokens
// and addresses counted apart, health and the socket not at all.
func TestRateLimit(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.RateLimit.Requests, c.RateLimit.ActionsRequests = 3, 2 })
	c := apitest.Case{Method: "GET", Path: "/api/v1/policies"}
	for i := range 3 {
		resp, _ := apitest.Ask(t, s.http, s.base, "", c)
		if resp.StatusCode != 200 || resp.Header.Get("X-RateLimit-Limit") != "3" || resp.Header.Get("X-RateLimit-Remaining") != fmt.Sprint(2-i) || resp.Header.Get("X-RateLimit-Reset") == "" {
			t.Errorf("request %d: %d %v", i, resp.StatusCode, resp.Header)
		}
	}
	resp, body := apitest.Ask(t, s.http, s.base, "", c)
	var p struct {
		Error      string
		RetryAfter int `json:"retry_after"`
		Detail     string
	}
	_ = json.Unmarshal(body, &p)
	if resp.StatusCode != 429 || p.Error != "Rate limit exceeded" || p.RetryAfter < 1 || p.Detail == "" || resp.Header.Get("Retry-After") != fmt.Sprint(p.RetryAfter) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for what, ask := range map[string]func() *http.Response{
		"another caller": func() *http.Response { r, _ := apitest.Ask(t, s.http, s.base, s.tokens["viewer"], c); return r },
		"another class": func() *http.Response {
			r, _ := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/api/v1/actions"})
			return r
		},
		"health": func() *http.Response {
			r, _ := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/health"})
			return r
		},
		"the socket": func() *http.Response { r, _ := apitest.Ask(t, s.local(t), "http://x", "", c); return r },
	} {
		if resp := ask(); resp.StatusCode != 200 {
			t.Errorf("%s is limited too: %d", what, resp.StatusCode)
		}
	}
}

// TestAdoptChangesWhatNeedsNoRestart: tokens, limits and origins; and a bad
// configuration changes nothing.
func TestAdoptChangesWhatNeedsNoRestart(t *testing.T) {
	var cfg api.Config
	s := serve(t, func(c *api.Config, _ *api.Deps) { cfg = *c })
	ask := func(token, origin string) int {
		c := apitest.Case{Method: "GET", Path: "/api/v1/policies"}
		if origin != "" {
			c.Header = map[string]string{"Origin": origin}
		}
		resp, _ := apitest.Ask(t, s.http, s.base, token, c)
		return resp.StatusCode
	}
	secret, hash := guard.NewSecret()
	fresh := []engine.Token{{Name: "fresh", Hash: hash, Role: "viewer"}}
	bad := cfg
	bad.AllowedOrigins = []string{"*"}
	if err := s.Adopt(t.Context(), bad, fresh); err == nil || ask(secret, "") != 401 || ask(s.tokens["viewer"], "") != 200 {
		t.Error("a bad configuration changed something:", err)
	}
	if err := s.Adopt(t.Context(), cfg, append(fresh, fresh...)); err == nil || ask(secret, "") != 401 {
		t.Error("a token twice was taken:", err)
	}
	cfg.AllowedOrigins, cfg.RateLimit.Requests = []string{"https://ops.example"}, 7
	if err := s.Adopt(t.Context(), cfg, fresh); err != nil {
		t.Fatal(err)
	}
	if ask(secret, "https://ops.example") != 200 || ask(s.tokens["viewer"], "") != 401 {
		t.Error("tokens or origins are those of before")
	}
	for range 7 {
		ask(secret, "")
	}
	if ask(secret, "") != 429 {
		t.Error("the limit is that of before")
	}
}

// TestIdempotencyKey: one act for one key, whatever the client repeats.
func TestIdempotencyKey(t *testing.T) {
	s := serve(t, nil)
	ask := func(token, key, body string) (*http.Response, string) {
		resp, b := apitest.Ask(t, s.http, s.base, s.tokens[token], apitest.Case{Method: "POST", Path: "/api/v1/actions", Body: body, Header: map[string]string{"Idempotency-Key": key}})
		return resp, string(b)
	}
	body := `{"target":"web","action":"service"}`
	first, a := ask("admin", "k1", body)
	again, b := ask("admin", "k1", body)
	if first.StatusCode != 201 || again.StatusCode != 201 || a != b || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s\n%d %s", first.StatusCode, a, again.StatusCode, b)
	}
	if resp, b := ask("admin", "k1", `{"target":"db","action":"service"}`); resp.StatusCode != 422 {
		t.Errorf("another body under one key: %d %s", resp.StatusCode, b)
	}
	if _, c := ask("operator", "k1", body); c == a {
		t.Error("another caller was given the answer")
	}
	if _, c := ask("admin", "k2", body); c == a {
		t.Error("another key was given the answer")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if resp, b := ask("admin", "k3", body); resp.StatusCode != 201 && resp.StatusCode != 409 {
				t.Errorf("%d %s", resp.StatusCode, b)
			}
		}()
	}
	wg.Wait()
	if _, n, _ := s.fake.Remediations(t.Context(), filterAll); n != 4 {
		t.Errorf("%d actions were made, not 4", n)
	}
}

// TestQueueCounts: what ended well and ill, the rate between them, and the last.
func TestQueueCounts(t *testing.T) {
	s := serve(t, nil)
	for i, status := range []string{"completed", "completed", "failed", "running"} {
		apitest.Ask(t, s.http, s.base, s.tokens["operator"], apitest.Case{Method: "POST", Path: "/api/v1/actions", Body: `{"target":"web","action":"x"}`})
		apitest.Ask(t, s.http, s.base, s.tokens["operator"], apitest.Case{Method: "PUT", Path: fmt.Sprintf("/api/v1/actions/%d/status", i+1), Body: `{"status":"` + status + `"}`})
	}
	apitest.Run(t, s.http, s.base, "", []apitest.Case{{Line: "status", Method: "GET", Path: "/api/v1/queue/status", Status: 200, Has: map[string]any{
		"completed": 2.0, "failed": 1.0, "success_rate": 200.0 / 3, "queue_depth": 0.0, "tasks_enqueued": 4.0, "tasks_dequeued": 4.0,
		"last_processed_task.task_id": "3", "last_processed_task.target": "web"}}})
}

// TestTrustOfSamples: what came without a credential is marked, what came with
// one carries its token's name.
func TestTrustOfSamples(t *testing.T) {
	s := serve(t, nil)
	c := apitest.Case{Method: "POST", Path: "/api/v1/ingest", Body: `{"name":"a","value":1}`}
	apitest.Ask(t, s.http, s.base, "", c)
	apitest.Ask(t, s.http, s.base, s.tokens["pusher"], c)
	apitest.Ask(t, s.local(t), "http://x", "", c)
	in := s.fake.Samples
	if got := fmt.Sprintf("%v %q, %v %q, %v", in[0].Open, in[0].Token, in[1].Open, in[1].Token, in[2].Open); got != `true "", false "t-pusher", false` {
		t.Error(got)
	}
}

// TestLaggingIsTold: 429 with Retry-After on both faces of ingest.
func TestLaggingIsTold(t *testing.T) {
	s := serve(t, nil)
	s.fake.Refuse["a"] = series.Lagging
	resp, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "POST", Path: "/api/v1/ingest", Body: `{"name":"a","value":1}`})
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "POST", Path: "/api/v1/write", Body: "x"})
	if resp.StatusCode != 415 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("remote write errs in plain text: %d %s %s", resp.StatusCode, resp.Header, body)
	}
}

// TestMetricsPage: valid text, each request counted once under its route's
// pattern, and the names that the original's dashboard asks for.
func TestMetricsPage(t *testing.T) {
	s := serve(t, nil)
	for range 3 {
		apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/api/v1/actions/77"})
	}
	apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: "POST", Path: "/api/v1/actions", Body: `{"target":"web","action":"service"}`})
	apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "POST", Path: "/api/v1/ingest", Body: `[{"name":"cpu","value":1},{"name":"cpu","value":1}]`})
	apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/nowhere/17"})
	_, page := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/metrics"})
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"requests_total", "request_latency_seconds", "actions_total", "ingest_total", "queue_length", "worker_active",
		"worker_tasks_total", "queue_operations_total", "vigil_build_info", "vigil_evaluation_lag_seconds", "process_resident_memory_bytes"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, line := range []string{
		`requests_total{endpoint="/api/v1/actions/{id}",method="GET",status="404"} 3`,
		`requests_total{endpoint="unmatched",method="GET",status="404"} 1`,
		`actions_total{action="service",status="pending",target="web"} 1`,
		`ingest_total{metric_name="cpu"} 2`,
	} {
		if !strings.Contains(string(page), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(string(page), "/77") || strings.Contains(string(page), "/nowhere") {
		t.Error("a path stands in a label")
	}
}

// TestDocumentationNeedsNothingFromOutside: the pages and all they name are
// served here, under a policy that lets nothing else in.
func TestDocumentationNeedsNothingFromOutside(t *testing.T) {
	s := serve(t, nil)
	links := regexp.MustCompile(`(?:src|href|spec-url)="([^"]+)"`)
	for _, page := range []string{"/docs", "/redoc"} {
		resp, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: page})
		csp := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || !strings.HasPrefix(csp, "default-src 'self';") || strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "http") {
			t.Errorf("%s: %d, policy %q", page, resp.StatusCode, csp)
		}
		found := links.FindAllStringSubmatch(string(body), -1)
		if len(found) == 0 {
			t.Errorf("%s names nothing", page)
		}
		for _, l := range found {
			if strings.HasPrefix(l[1], "data:") {
				continue
			}
			resp, asset := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: l[1]})
			if resp.StatusCode != 200 || len(asset) < 200 || !strings.HasPrefix(l[1], "/") {
				t.Errorf("%s names %s: %d", page, l[1], resp.StatusCode)
			}
		}
	}
	r, _ := http.NewRequest("GET", s.base+"/docs/assets/swagger-ui.css", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if z, err := gzip.NewReader(resp.Body); resp.Header.Get("Content-Encoding") != "gzip" || err != nil {
		t.Errorf("not sent compressed: %v", err)
	} else if b, err := io.ReadAll(z); err != nil || !bytes.Contains(b, []byte(".swagger-ui")) {
		t.Error("not the style sheet", err)
	}
}

// TestOpenAPIDescribesEveryRoute: 3.1, unique ids, a summary, a tag, problems,
// and no route left out; every reference leads somewhere.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	s := serve(t, nil)
	_, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/openapi.json"})
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Tags        []string
			Responses   map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatal(err, doc.OpenAPI)
	}
	ids := map[string]bool{}
	for _, r := range s.Routes() {
		if strings.HasPrefix(r.Path, "/docs") || r.Path == "/redoc" || r.Path == "/openapi.json" {
			continue
		}
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		switch {
		case !ok:
			t.Errorf("%s %s is not described", r.Method, r.Path)
		case op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1:
			t.Errorf("%s %s: id %q, summary %q, tags %v", r.Method, r.Path, op.OperationID, op.Summary, op.Tags)
		case op.Responses["default"].Content["application/problem+json"] == nil:
			t.Errorf("%s %s does not say how it fails", r.Method, r.Path)
		}
		ids[op.OperationID] = true
	}
	for _, m := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(body, -1) {
		if doc.Components.Schemas[string(m[1])] == nil {
			t.Errorf("a reference to %s leads nowhere", m[1])
		}
	}
}

// TestReadyzTellsWhyNot, and /health stays well all the while.
func TestReadyzTellsWhyNot(t *testing.T) {
	s := serve(t, func(_ *api.Config, d *api.Deps) {
		d.Ready = func() ([]string, []string) { return []string{"replaying the log"}, []string{"disk is read-only"} }
	})
	resp, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/readyz"})
	if resp.StatusCode != 503 || !strings.Contains(string(body), "replaying the log") || !strings.Contains(string(body), "read-only") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/health"}); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

// TestStopLetsRunningRequestsEnd: a request that is being read when the stop
// comes gets its answer; one that hangs is cut at the end of the drain time.
func TestStopLetsRunningRequestsEnd(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.Drain = document.Duration(500 * time.Millisecond) })
	pr, pw := io.Pipe()
	answer := make(chan string, 1)
	go func() {
		resp, err := s.http.Post(s.base+"/api/v1/ingest", "application/json", pr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		answer <- resp.Status
	}()
	_, _ = pw.Write([]byte(`{"name":"a",`)) // returns when the client sends it
	hang, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer hang.Close()
	fmt.Fprintf(hang, "POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
	waitFor(t, "two requests in flight", func() bool {
		_, page := apitest.Ask(t, s.local(t), "http://x", "", apitest.Case{Method: "GET", Path: "/metrics"})
		return bytes.Contains(page, []byte("vigil_ingest_inflight_bytes 65548\n"))
	})
	s.cancel()
	waitFor(t, "the listener to close", func() bool {
		c, err := net.Dial("tcp", s.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	_, _ = pw.Write([]byte(`"value":1}`))
	_ = pw.Close()
	if got := <-answer; got != "201 Created" {
		t.Errorf("the running request ended with %q", got)
	}
	select {
	case err := <-s.done:
		if err != nil {
			t.Error(err)
		}
		s.done <- nil
	case <-time.After(time.Minute):
		t.Fatal("a hanging request holds the stop")
	}
	if _, err := os.Stat(s.Socket()); !os.IsNotExist(err) {
		t.Error("the socket's file is left behind")
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestTLSFromFilesWithReload: a new pair is served without a restart, a broken
// one leaves the old in use; plain http is told to use https.
func TestTLSFromFilesWithReload(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	pair(t, cert, key, "first")
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.TLSCert, c.TLSKey = cert, key })
	name := func() string {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "first" {
		t.Error(got)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer c.CloseIdleConnections()
	if resp, _ := apitest.Ask(t, c, s.base, "", apitest.Case{Method: "GET", Path: "/api/v1/actions"}); resp.StatusCode != 200 {
		t.Error("loopback is not known through TLS:", resp.Status)
	}
	if _, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	for path, media := range map[string]string{"/api/v1/actions": "application/problem+json", "/git/desired/info/refs": "text/plain"} {
		r, err := http.NewRequest("POST", "http://"+s.Addr().String()+path, strings.NewReader(strings.Repeat("x", 20_000)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatalf("plain http: %v", err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var p struct{ Detail string }
		if json.Unmarshal(body, &p) != nil {
			p.Detail = string(body)
		}
		if resp.StatusCode != 400 || !strings.HasPrefix(resp.Header.Get("Content-Type"), media) || !strings.Contains(p.Detail, "use https://") {
			t.Errorf("plain http to %s: %d %s %s", path, resp.StatusCode, resp.Header, body)
		}
	}
	pair(t, cert, key, "second")
	waitFor(t, "the second certificate", func() bool { return name() == "second" })
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "second" {
		t.Error(got)
	}
}

func pair(t *testing.T, cert, key, name string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for f, b := range map[string]*pem.Block{key: {Type: "EC PRIVATE KEY", Bytes: kb}, cert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(f, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeysThatStandTwiceAreRefused: nobody is to guess which of two a caller means.
func TestKeysThatStandTwiceAreRefused(t *testing.T) {
	s := serve(t, nil)
	for body, want := range map[string]int{
		`{"target":"web","action":"service"}`:                   201,
		`{"target":"web","action":"service","target":"db"}`:     422,
		`{"target":"web","action":"service","Target":"db"}`:     422,
		`{"target":"web","action":"service","\u0074arget":"b"}`: 422,
	} {
		resp, b := apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: "POST", Path: "/api/v1/actions", Body: body})
		if resp.StatusCode != want {
			t.Errorf("%s: %d %s", body, resp.StatusCode, b)
		}
	}
}

// TestRateLimitOfOneUserIsNotAnothers: on one host, whose users all come from one
// address, and by one connection or by many.
func TestRateLimitOfOneUserIsNotAnothers(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.RateLimit.ActionsRequests = 5 })
	// asks says how many of n requests of a user are answered.
	asks := func(uid, n int, keep bool) (in int) {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: !keep, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if uid != os.Geteuid() {
				runtime.LockOSThread() // never given back: the thread ends with the goroutine that dials
				if err := syscall.Setfsuid(uid); err != nil {
					return nil, err
				}
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}}}
		defer c.CloseIdleConnections()
		for range n {
			r, err := c.Get(s.base + "/api/v1/actions")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if r.StatusCode == 200 {
				in++
			}
		}
		return in
	}
	if in := asks(os.Geteuid(), 20, true) + asks(os.Geteuid(), 5, false); in != 5 {
		t.Errorf("%d requests of one user were answered, not 5", in)
	}
	if os.Geteuid() != 0 {
		return // another user's socket takes root to make
	}
	if in := asks(65534, 4, false) + asks(65534, 4, true); in != 5 {
		t.Errorf("%d requests of another user were answered, not 5", in)
	}
}

// TestNearActionIsNamed: what waits for an outside remediator by a slip of the pen
// says which name here it is near to.
func TestNearActionIsNamed(t *testing.T) {
	s := serve(t, nil)
	for action, want := range map[string]string{"purg": `"did_you_mean":"purge"`, "restrat": `"did_you_mean":"restart"`, "reticulate": "", "service": ""} {
		resp, b := apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: "POST", Path: "/api/v1/actions", Body: `{"target":"web","action":"` + action + `","queue_immediately":true}`})
		if resp.StatusCode != 201 || !strings.Contains(string(b), want) || strings.Contains(string(b), "did_you_mean") != (want != "") {
			t.Errorf("%s: %d %s", action, resp.StatusCode, b)
		}
	}
}

// TestUnknownParametersOfEveryRouteAreRefused: every route of the document, and
// each that is not in it, by a parameter nobody has; and what the document says
// of a route's parameters is what is taken. Probes, scrapers, browsers and git
// are asked by addresses that others wrote: those are left alone.
func TestUnknownParametersOfEveryRouteAreRefused(t *testing.T) {
	s := serve(t, nil)
	_, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/openapi.json"})
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	lax := map[string]bool{"/health": true, "/healthz": true, "/readyz": true, "/metrics": true, "/api/v1/ingest/health": true, "/api/v1/actions/health": true, "/openapi.json": true}
	taken := 0
	for _, r := range s.Routes() {
		left := lax[r.Path] || strings.HasPrefix(r.Path, "/docs") || r.Path == "/redoc" || strings.HasPrefix(r.Path, "/git/")
		path := strings.NewReplacer("{name}", "vigil", "{id}", "1", "{kind}", "File", "{status}", "pending", "{sev}", "info").Replace(r.Path)
		resp, answer := apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: r.Method, Path: path + "?limt=5"})
		switch {
		case left && resp.StatusCode == http.StatusUnprocessableEntity:
			t.Errorf("%s %s refuses a parameter that a probe's address may have: %s", r.Method, r.Path, answer)
		case !left && (resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(answer), "query.limt") && !strings.Contains(string(answer), `"limt"`)):
			t.Errorf("%s %s?limt=5: %d %s", r.Method, r.Path, resp.StatusCode, answer)
		}
		for _, p := range doc.Paths[r.Path][strings.ToLower(r.Method)].Parameters {
			if p.In != "query" {
				continue
			}
			taken++
			if _, answer := apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: r.Method, Path: path + "?" + p.Name + "=1"}); strings.Contains(string(answer), "no such parameter") {
				t.Errorf("%s %s does not take its own %s: %s", r.Method, r.Path, p.Name, answer)
			}
		}
	}
	if taken < 30 {
		t.Errorf("just %d parameters were tried", taken)
	}
}
