package vigiltest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	mostMemory = 128 << 20        // resident, at its peak
	answers    = time.Second      // within which the daemon still serves
	abreast    = 4                // of one hostile request at one time
	bombSize   = int64(512 << 20) // what a bomb unpacks to
)

// victim is the real binary under attack, with everything at its default but a
// smaller share of series for one token, since what a token may fill it fills:
// a series costs about half a kilobyte.
type victim struct {
	*lane
	addr, token string
}

func newVictim(t *testing.T) *victim {
	l := newLane(t, 1)
	if err := os.RemoveAll(filepath.Join(l.dir, "policies")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(l.dir, "vigil.toml"), `
[host]
enabled = false
[policies]
rescan = "1s"
[store]
max_series_per_token = 20000
[actions.loud]
kind = "exec"
argv = ["/usr/bin/yes", "all work and no play"]
timeout = "1s"
`)
	for i, e := range l.env {
		if strings.HasPrefix(e, "VIGIL_API_LISTEN=") {
			l.env[i] = "VIGIL_API_LISTEN=127.0.0.1:0"
		}
	}
	l.mustBeReady(Binary)
	secret, err := os.ReadFile(filepath.Join(l.dir, "data", "token"))
	if err != nil {
		t.Fatal(err)
	}
	return &victim{l, readyLine.FindStringSubmatch(l.log.String())[1], strings.TrimSpace(string(secret))}
}

// peak is the most memory that the daemon ever had resident.
func (v *victim) peak() int64 {
	v.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		v.t.Fatalf("the daemon is gone: %v\n%s", err, v.log)
	}
	return kib(v.t, text, "VmHWM:") << 10
}

// serves asks over the socket, and says how long that took.
func (v *victim) serves() {
	v.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(v.t.Context(), Patience)
	defer cancel()
	status, text, err := v.ask(ctx, "GET", "/readyz", nil)
	if took := time.Since(began); err != nil || status != http.StatusOK || Late(took, answers) {
		v.t.Errorf("the daemon does not serve as promised: %d %s %v after %s\n%s", status, text, err, took, v.log)
	}
}

// hostile is one request that must be refused.
type hostile struct {
	name         string
	method, path string
	header       map[string]string
	body         func() io.Reader
	length       int64 // what Content-Length says; 0 leaves it open
	taken        bool  // it may be taken: it is only unpleasant
}

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// endless is n bytes of a pattern, made as they are read.
func endless(head, pattern string, n int64) func() io.Reader {
	return func() io.Reader {
		return io.MultiReader(strings.NewReader(head), io.LimitReader(&cycle{p: []byte(strings.Repeat(pattern, 1+4096/len(pattern)))}, n))
	}
}

type cycle struct {
	p  []byte
	at int
}

func (c *cycle) Read(b []byte) (int, error) {
	n := copy(b, c.p[c.at:])
	c.at = (c.at + n) % len(c.p)
	return n, nil
}

// bomb is zeros, packed.
func bomb(head string, n int64) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.Copy(z, endless(head, " ", n)())
	_ = z.Close()
	return b.Bytes()
}

func packed(b []byte) func() io.Reader { return func() io.Reader { return bytes.NewReader(b) } }

// policyBody is a policy with this expression.
func policyBody(fire string) func() io.Reader {
	b, err := json.Marshal(map[string]any{"name": "hostile", "condition": map[string]any{"match": "x", "fire": fire}})
	if err != nil {
		panic(err)
	}
	return packed(b)
}

func bodies() []hostile {
	const ingest, policies = "/api/v1/ingest", "/api/v1/policies"
	squeezed := bomb(`[{"name":"x","value":1}`, bombSize)
	twice := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(squeezed)
		_ = z.Close()
		return b.Bytes()
	}()
	labels := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"name":"x","value":1,"tags":{`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"l%d":"v"`, i)
		}
		return b.String() + "}}"
	}
	gz := map[string]string{"Content-Encoding": "gzip"}
	snappy := map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
	claims := binary.AppendUvarint(nil, 2<<30)
	hs := []hostile{
		{name: "a body without end", path: ingest, body: endless(`[`, `{"name":"x","value":1},`, bombSize)},
		{name: "a lying length", path: ingest, body: endless(`[`, ` `, 1<<20), length: 1 << 40},
		{name: "a policy without end", path: policies, body: endless(`{"name":"`, "x", 64<<20)},
		{name: "deep arrays to ingest", path: ingest, body: text(deep(1_000_000))},
		{name: "deep objects to ingest", path: ingest, body: endless("", `{"a":`, 5<<20)},
		{name: "deep tags", path: ingest, body: text(`{"name":"x","value":1,"tags":` + deep(100_000) + `}`)},
		{name: "deep arrays to policies", path: policies, body: text(deep(200_000))},
		{name: "a deep condition", path: policies, body: text(`{"name":"x","condition":` + strings.Repeat(`{"type":"all","conditions":[`, 10_000) + strings.Repeat("]}", 10_000) + `}`)},
		{name: "deep parameters of an action", path: "/api/v1/actions", body: text(`{"target":"x","action":"wait","with":{"for":` + deep(100_000) + `}}`)},
		{name: "a gzip bomb", path: ingest, header: gz, body: packed(squeezed)},
		{name: "a gzip bomb in a gzip", path: ingest, header: map[string]string{"Content-Encoding": "gzip, gzip"}, body: packed(twice)},
		{name: "a gzip that is none", path: ingest, header: gz, body: text("nothing packed")},
		{name: "a gzip bomb to remote write", path: "/api/v1/write", header: gz, body: packed(squeezed)},
		{name: "a snappy bomb of 47 bytes", path: "/api/v1/write", header: snappy, body: packed(append(claims, make([]byte, 42)...))},
		{name: "a remote write of noise", path: "/api/v1/write", header: snappy, body: endless("", "\xff\x07\x81", 4<<20)},
		{name: "a million labels", path: ingest, body: text(labels(500_000))},
		{name: "a label of a megabyte", path: ingest, body: text(`{"name":"x","value":1,"tags":{"l":"` + strings.Repeat("v", 1<<20) + `"}}`)},
		{name: "a name of a megabyte", path: ingest, body: text(`{"name":"` + strings.Repeat("n", 1<<20) + `","value":1}`)},
		{name: "infinity", path: ingest, body: text(`{"name":"x","value":1e400}`), taken: true},
		{name: "not a number", path: ingest, body: text(`{"name":"x","value":NaN}`), taken: true},
		{name: "one key twice", path: ingest, body: text(`{"name":"x","value":1,"value":2}`), taken: true},
		{name: "half a surrogate", path: ingest, body: text(`{"name":"\ud800","value":1}`), taken: true},
		{name: "a number of a megabyte", path: ingest, body: text(`{"name":"x","value":1` + strings.Repeat("0", 1<<20) + `}`), taken: true},
		{name: "a time of the year 10^9", path: ingest, body: text(`{"name":"x","value":1,"timestamp":1e18}`)},
		{name: "points without end", method: "GET", path: "/api/v1/series/range?match=x&points=1000000000"},
		{name: "a selector of 60 kB", method: "GET", path: "/api/v1/series?match=" + url.QueryEscape(`{a=~"`+strings.Repeat("(", 30_000)+`"}`)},
		{name: "a regular expression that multiplies", method: "GET", path: "/api/v1/series?match=" + url.QueryEscape(`{a=~"((a{1,1000}){1,1000}){1,1000}"}`)},
		{name: "an address of a megabyte", method: "GET", path: "/api/v1/" + strings.Repeat("a", 1<<20)},
		{name: "a path to elsewhere", method: "GET", path: "/docs/..%2f..%2f..%2fetc%2fpasswd"},
		{name: "a null in a path", method: "GET", path: "/api/v1/policies/%00"},
		{name: "a foreign host", method: "GET", path: "/api/v1/policies", header: map[string]string{"Host": "evil.example"}},
		{name: "a foreign page", path: policies, header: map[string]string{"Origin": "https://evil.example"}, body: policyBody("value > 1")},
		{name: "a foreign page that reads", method: "GET", path: policies, header: map[string]string{"Origin": "null"}},
	}
	for name, fire := range expressions() {
		hs = append(hs, hostile{name: "an expression: " + name, path: policies, body: policyBody(fire)})
	}
	return hs
}

// expressions are those that the language refuses, and why.
func expressions() map[string]string {
	return map[string]string{
		"too long":                "value > 1 " + strings.Repeat("or value > 1 ", 10_000),
		"too many nodes":          "value > 1" + strings.Repeat(" or a>1", 240),
		"too deep":                strings.Repeat("(", 1000) + "value" + strings.Repeat(")", 1000) + " > 1",
		"brackets that never end": strings.Repeat("[", 2000),
		"many signs":              strings.Repeat("-", 2000) + "1 > 0",
		"many negations":          strings.Repeat("not ", 500) + "true",
		"a range":                 "len(1..1000000000) > 1",
		"a closure":               "all([1, 2], # > 0)",
		"a map over a range":      "len(map(1..100000, # * 2)) > 0",
		"string building":         `"a" + "b" == "ab"`,
		"repeat":                  `len(repeat("a", 1000000000)) > 0`,
		"a slice":                 `"abc"[0:1] == "a"`,
		"a method":                `labels.x.String() == ""`,
		"a variable":              "let x = 1; x > 0",
		"a pipe":                  "value | abs > 1",
		"an unknown function":     "system(1) > 0",
		"an unknown name":         "secret > 1",
		"an environment":          "$env.value > 1",
		"a text that is no truth": `"yes"`,
		"a number that is none":   "1",
		"a window of an age":      `avg("1000000d") > 1`,
		"a window that moves":     `avg(labels.w) > 1`,
		"a pattern that is wrong": `labels.a matches "("`,
		"a pattern that grows":    `labels.a matches "((a{1,1000}){1,1000}){1,1000}"`,
		"nothing":                 "",
		"only spaces":             "   ",
		"a zero byte":             "value > 1\x00",
		"a power":                 "2 ** 2 ** 2 ** 2 ** 2 ** 2 > 1",
		"a null":                  "nil == nil",
		"an object":               "{a: 1}.a > 0",
	}
}

// send sends one hostile request over TCP with the admin's token; err is good
// news too: the connection was cut.
func (v *victim) send(h hostile) (int, string, error) {
	ctx, cancel := context.WithTimeout(v.t.Context(), Patience)
	defer cancel()
	method := h.method
	if method == "" {
		method = "POST"
	}
	var body io.Reader
	if h.body != nil {
		body = h.body()
		if h.length == 0 {
			body = io.NopCloser(body) // chunked: no length is told
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+v.addr+h.path, body)
	if err != nil {
		return 0, "", err
	}
	if h.length > 0 {
		req.ContentLength = h.length
	}
	req.Header.Set("Authorization", "Bearer "+v.token)
	req.Header.Set("Content-Type", "application/json")
	for k, val := range h.header {
		if k == "Host" {
			req.Host = val
		}
		req.Header.Set(k, val)
	}
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(answer), nil
}

// TestHostileInput: the real binary, one for all of it. Each request is sent a
// few times at once; it is refused (or the connection is cut), the daemon still
// serves within a second, and its memory never went over the bound.
func TestHostileInput(t *testing.T) {
	v := newVictim(t)
	for _, h := range bodies() {
		t.Run(h.name, func(t *testing.T) {
			v.t = t
			before := v.peak()
			var wg sync.WaitGroup
			for range abreast {
				wg.Go(func() {
					status, answer, err := v.send(h)
					if err == nil && !(status >= 400 && status < 500) && !(h.taken && status < 300) {
						t.Errorf("answer %d: %.300s", status, answer)
					}
				})
			}
			v.serves()
			wg.Wait()
			v.serves()
			if after := v.peak(); after > mostMemory && before <= mostMemory {
				t.Errorf("the daemon had %d MiB at its peak, %d MiB before", after>>20, before>>20)
			} else if after > before+(8<<20) {
				t.Logf("peak %d MiB, before %d MiB", after>>20, before>>20)
			}
		})
	}
	v.t = t
	t.Logf("peak %d MiB", v.peak()>>20)
	v.stop()
}

// TestHostileFloods: what is well formed, and too much of it.
func TestHostileFloods(t *testing.T) {
	v := newVictim(t)
	series := func(from, n, label int) func() io.Reader {
		return func() io.Reader {
			var b bytes.Buffer
			long := strings.Repeat("v", label)
			for i := range n {
				fmt.Fprintf(&b, `{"name":"flood","value":1,"tags":{"id":"%d%s"}}`+"\n", from+i, long)
			}
			return &b
		}
	}
	nd := map[string]string{"Content-Type": "application/x-ndjson"}
	t.Run("new series", func(t *testing.T) {
		v.t = t
		for n := range 30 {
			var wg sync.WaitGroup
			for k := range abreast {
				wg.Go(func() {
					status, answer, err := v.send(hostile{path: "/api/v1/ingest", header: nd, body: series((n*abreast+k)*1000, 1000, 0)})
					if err == nil && status >= 500 && status != 503 {
						t.Errorf("answer %d: %.300s", status, answer)
					}
				})
			}
			wg.Wait()
			v.serves()
		}
		t.Logf("peak %d MiB", v.peak()>>20)
	})
	t.Run("long labels", func(t *testing.T) {
		v.t = t
		for n := range 20 {
			status, answer, err := v.send(hostile{path: "/api/v1/ingest", header: nd, body: series(1_000_000+n*1000, 1000, 2000)})
			if err == nil && status >= 500 && status != 503 {
				t.Errorf("answer %d: %.300s", status, answer)
			}
			v.serves()
		}
		t.Logf("peak %d MiB", v.peak()>>20)
	})
	t.Run("one request of as much as may be", func(t *testing.T) {
		v.t = t
		body := "[" + strings.Repeat(`{"name":"x","value":1},`, 350_000) + `{"name":"x","value":1}]`
		var wg sync.WaitGroup
		for range abreast {
			wg.Go(func() {
				if status, answer, err := v.send(hostile{path: "/api/v1/ingest", body: text(body)}); err == nil && status >= 500 && status != 503 {
					t.Errorf("answer %d: %.300s", status, answer)
				}
			})
		}
		v.serves()
		wg.Wait()
		t.Logf("peak %d MiB", v.peak()>>20)
	})
	t.Run("an act that never stops talking", func(t *testing.T) {
		v.t = t
		status, answer, err := v.send(hostile{path: "/api/v1/actions", body: text(`{"target":"x","action":"loud","queue_immediately":true}`)})
		if err != nil || status != http.StatusCreated {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		ended := func() bool {
			_, text, err := v.ask(t.Context(), "GET", "/api/v1/attempts?action=1", nil)
			return err == nil && bytes.Contains(text, []byte(`"timed_out":true`))
		}
		if !Until(ended) {
			t.Error("the act did not end at its timeout")
		}
		v.serves()
		t.Logf("peak %d MiB", v.peak()>>20)
	})
	t.Run("documents", func(t *testing.T) {
		v.t = t
		bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
		for c := 'b'; c < 'k'; c++ {
			bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
		}
		put(t, filepath.Join(v.dir, "policies", "bomb.yaml"), bomb)
		put(t, filepath.Join(v.dir, "policies", "many.yaml"), strings.Repeat("---\n", 100_000))
		put(t, filepath.Join(v.dir, "policies", "deep.yaml"), strings.Repeat("[", 100_000))
		put(t, filepath.Join(v.dir, "policies", "long.yaml"), strings.Repeat("a", 8<<20))
		if !Until(func() bool {
			r, err := v.client.Ready(t.Context())
			return err == nil && strings.Contains(strings.Join(r.Degraded, " "), "policy folders")
		}) {
			t.Error("nobody is told that the folder is bad")
		}
		v.serves()
		t.Logf("peak %d MiB", v.peak()>>20)
	})
	v.t = t
	if p := v.peak(); p > mostMemory {
		t.Errorf("the daemon had %d MiB at its peak", p>>20)
	}
	v.stop()
}

// write writes bytes on a connection of its own and reads the answer's status.
func (v *victim) write(parts ...[]byte) (int, error) {
	c, err := net.Dial("tcp", v.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(Patience))
	go func() {
		for _, p := range parts {
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// TestHostileConnections: what is unpleasant below a request's body.
func TestHostileConnections(t *testing.T) {
	v := newVictim(t)
	var many bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&many, "X-H%d: v\r\n", i)
	}
	const get = "GET /api/v1/policies HTTP/1.1\r\nHost: localhost\r\n"
	tests := []struct {
		name  string
		parts [][]byte
	}{
		{"ten thousand headers", [][]byte{[]byte(get), many.Bytes(), []byte("\r\n")}},
		{"a header of a megabyte", [][]byte{[]byte(get + "X-Long: "), bytes.Repeat([]byte("a"), 1<<20), []byte("\r\n\r\n")}},
		{"two lengths", [][]byte{[]byte("POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n[]  x")}},
		{"chunked, of a length, by two names", [][]byte{[]byte("POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\n0\r\n\r\n")}},
		{"chunk extensions without end", [][]byte{[]byte("POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;"), bytes.Repeat([]byte("x"), 1<<20), []byte("\r\n[\r\n0\r\n\r\n")}},
		{"a method of our own", [][]byte{[]byte("BREW /api/v1/policies HTTP/1.1\r\nHost: localhost\r\n\r\n")}},
		{"no HTTP at all", [][]byte{bytes.Repeat([]byte{0x16, 3, 1, 0, 0xff}, 1000), []byte("\r\n\r\n")}},
		{"HTTP/2 without asking", [][]byte{[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v.t = t
			if status, err := v.write(tt.parts...); err == nil && (status < 400 || status >= 600) {
				t.Errorf("answer %d", status)
			}
			v.serves()
		})
	}
	t.Run("slow clients", func(t *testing.T) {
		v.t = t
		var cs []net.Conn
		for range 400 { // over the bound of one address
			c, err := net.Dial("tcp", v.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.Write([]byte(get + "X-Slow"))
			cs = append(cs, c)
		}
		for range 20 {
			v.serves()
			for _, c := range cs {
				_, _ = c.Write([]byte("w"))
			}
		}
	})
	t.Run("wrong tokens", func(t *testing.T) {
		v.t = t
		// The slow clients have left; a client that is let in again says so.
		if !Until(func() bool {
			status, _, err := v.send(hostile{method: "GET", path: "/api/v1/status"})
			return err == nil && status == 200
		}) {
			t.Fatal("nobody is let in any more")
		}
		for i := range 500 {
			status, answer, err := v.send(hostile{method: "GET", path: "/api/v1/policies", header: map[string]string{"Authorization": fmt.Sprintf("Bearer vgl_%040d", i)}})
			if err == nil && status != 401 && status != 429 {
				t.Fatalf("a wrong token was answered %d: %s", status, answer)
			}
		}
		if status, answer, err := v.send(hostile{method: "GET", path: "/api/v1/policies"}); err != nil || status != 200 {
			t.Errorf("the right token was locked out: %d %s %v", status, answer, err)
		}
	})
	v.t = t
	if p := v.peak(); p > mostMemory {
		t.Errorf("the daemon had %d MiB at its peak", p>>20)
	} else {
		t.Logf("peak %d MiB", p>>20)
	}
	v.stop()
}
