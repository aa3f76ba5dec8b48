package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/engine/document"
)

// TestHostileInputIsRefusedAndBounded throws every unpleasant request at one
// server, many at a time, and then looks: still serving within a second, heap
// bounded, nothing held, no handler panicked.
func TestHostileInputIsRefusedAndBounded(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.RateLimit.Enabled = false })
	var zip bytes.Buffer
	z := gzip.NewWriter(&zip)
	_, _ = io.CopyN(z, zeros{}, 5<<20)
	_ = z.Close()
	bomb := append(binary.AppendUvarint(nil, 2_500_000_000), make([]byte, 42)...)
	type shot struct {
		name, method, path, body string
		header                   map[string]string
		status                   []int
	}
	proto := map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
	deep := strings.Repeat("[", 100_000)
	var tags strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&tags, `"k%d":"v",`, i)
	}
	shots := []shot{
		{"oversize ingest", "POST", "/api/v1/ingest", strings.Repeat("x", 9<<20), nil, []int{413}},
		{"oversize action", "POST", "/api/v1/actions", `{"target":"` + strings.Repeat("x", 2<<20) + `"}`, nil, []int{413}},
		{"gzip 1000:1", "POST", "/api/v1/ingest", zip.String(), map[string]string{"Content-Encoding": "gzip"}, []int{413}},
		{"snappy of 47 bytes", "POST", "/api/v1/write", string(bomb), proto, []int{413}},
		{"deep ingest", "POST", "/api/v1/ingest", deep, nil, []int{422}},
		{"deep action", "POST", "/api/v1/actions", deep, nil, []int{422}},
		{"deep policy", "POST", "/api/v1/policies", `{"name":"a","condition":` + strings.Repeat(`{"type":"all","conditions":[`, 2000) + strings.Repeat(`]}`, 2000) + `}`, nil, []int{422}},
		{"label flood", "POST", "/api/v1/ingest", `{"name":"a","value":1,"tags":{` + tags.String() + `"z":"z"}}`, nil, []int{422}},
		{"long label", "POST", "/api/v1/ingest", `{"name":"a","value":1,"tags":{"k":"` + strings.Repeat("v", 1<<20) + `"}}`, nil, []int{201, 422}},
		{"a million items", "POST", "/api/v1/ingest", "[" + strings.Repeat("0,", 1_000_000) + "0]", nil, []int{413}},
		{"lone surrogates", "POST", "/api/v1/actions", `{"target":"\ud800","action":"\udfff"}`, nil, []int{201, 422}},
		{"not UTF-8", "POST", "/api/v1/actions", "{\"target\":\"\xff\xfe\",\"action\":\"a\"}", nil, []int{201, 422}},
		{"long expression", "POST", "/api/v1/policies", `{"name":"a","condition":{"match":"up","fire":"` + strings.Repeat("(", 50_000) + `"}}`, nil, []int{422}},
		{"evil expression", "POST", "/api/v1/policies", `{"name":"a","condition":{"match":"up","fire":"map(1..1e9, {#})"}}`, nil, []int{422}},
		{"evil pattern", "GET", "/api/v1/series?match=%7Ba%3D~%22" + strings.Repeat("(a*)*", 100) + "%22%7D", "", nil, []int{200, 422}},
		{"huge page", "GET", "/api/v1/actions?page=9223372036854775807&limit=500", "", nil, []int{200, 422}},
		{"huge path", "GET", "/api/v1/policies/" + strings.Repeat("a", 20_000), "", nil, []int{404, 422, 431}},
		{"path upwards", "GET", "/docs/assets/..%2f..%2fapi.go", "", nil, []int{404}},
		{"huge header", "GET", "/health", "", map[string]string{"X-Junk": strings.Repeat("j", 64<<10)}, []int{431}},
		{"huge request id", "GET", "/health", "", map[string]string{"X-Request-ID": strings.Repeat("j", 4000)}, []int{200}},
		{"huge idempotency key", "POST", "/api/v1/resume", "", map[string]string{"Idempotency-Key": strings.Repeat("j", 4000)}, []int{400}},
		{"null body", "POST", "/api/v1/actions", "null", nil, []int{422}},
		{"array body", "POST", "/api/v1/policies", "[]", nil, []int{422}},
		{"form body", "POST", "/api/v1/actions", "target=a", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []int{415}},
	}
	local := s.local(t)
	fire := func(c shot) {
		h := map[string]string{"Content-Type": "application/json"}
		for k, v := range c.header {
			h[k] = v
		}
		resp, body := apitest.Ask(t, local, "http://x", "", apitest.Case{Method: c.method, Path: c.path, Body: c.body, Header: h})
		for _, st := range c.status {
			if st == resp.StatusCode {
				if len(body) > 64<<10 {
					t.Errorf("%s: the answer has %d bytes", c.name, len(body))
				}
				return
			}
		}
		t.Errorf("%s: status %d, want %v: %.300s", c.name, resp.StatusCode, c.status, body)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, c := range shots {
				fire(c)
			}
		}()
	}
	wg.Wait()
	begin := time.Now()
	if resp, _ := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "POST", Path: "/api/v1/ingest", Body: `{"name":"a","value":1}`}); resp.StatusCode != 201 {
		t.Errorf("does not serve: %d after %v", resp.StatusCode, time.Since(begin))
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapInuse > 128<<20 {
		t.Errorf("the heap has %d MiB", m.HeapInuse>>20)
	}
	_, page := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/metrics"})
	for _, want := range []string{"vigil_http_panics_total 0\n", "vigil_ingest_inflight_bytes 0\n"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("/metrics does not say %q", want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLyingContentLength: a body that ends early is an error and no sample.
func TestLyingContentLength(t *testing.T) {
	s := serve(t, nil)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"name\":\"a\",\"value\":1}")
	_ = conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	if n := s.fake.Count(); n != 0 {
		t.Errorf("%d samples of a torn body", n)
	}
}

// TestSlowClientsAreCut: a client that sends a byte now and then loses its
// connection at the read timeout, and others are served meanwhile.
func TestSlowClientsAreCut(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) {
		c.ReadTimeout = document.Duration(300 * time.Millisecond)
		c.WriteTimeout = document.Duration(time.Second)
	})
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
	if resp, _ := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/health"}); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("not cut: %v", err)
	}
	if len(all) > 0 && !bytes.Contains(all, []byte(" 504 ")) && !bytes.Contains(all, []byte(" 408 ")) {
		t.Errorf("answer %.100s", all)
	}
}

// TestConnectionsPerAddressAreCapped, and the socket is still reached.
func TestConnectionsPerAddressAreCapped(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.Connections, c.ConnectionsPerAddress = 8, 4 })
	var open []net.Conn
	cut := 0
	for range 12 {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Read(make([]byte, 16)); err != nil {
			cut++
			continue
		}
		open = append(open, conn)
	}
	if len(open) != 4 || cut != 8 {
		t.Errorf("%d open, %d cut", len(open), cut)
	}
	if resp, _ := apitest.Ask(t, s.local(t), "http://x", "", apitest.Case{Method: "GET", Path: "/health"}); resp.StatusCode != 200 {
		t.Error("the socket is closed by a flood on TCP")
	}
	for _, c := range open {
		_ = c.Close()
	}
	deadline := time.Now().Add(time.Minute)
	for { // the places are free again once the server has seen the ends
		resp, err := s.http.Get(s.base + "/health")
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("closed connections keep their places")
		}
		runtime.Gosched()
	}
}
