package ingest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"vigil/api/problem"
	"vigil/engine/series"
)

// received is one point as the sink saw it.
type received struct {
	Labels string
	T      int64
	V      float64
}

// sink keeps copies of what it was given; verdict may refuse items by name.
type sink struct {
	mu     sync.Mutex
	got    []received
	seq    uint64
	open   bool
	fill   bool
	token  string
	err    error
	reason map[string]series.Reason
}

func (s *sink) Ingest(_ context.Context, b *series.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.open, s.token, s.fill = b.Open, b.Token, b.Backfill
	b.Seq = s.seq + 1
	for i := range b.Items {
		it := &b.Items[i]
		ls, err := series.ParseKey(it.Key)
		if err != nil || ls.Name() == "" {
			it.Refused, it.Reason, it.Hi = it.Hi-it.Lo, series.BadLabels, it.Lo
			continue
		}
		if r := s.reason[ls.Name()]; r != series.Accepted {
			it.Refused, it.Reason, it.Hi = it.Hi-it.Lo, r, it.Lo
			continue
		}
		for _, p := range b.Points[it.Lo:it.Hi] {
			t := p.T
			if t == series.NoTime {
				t = b.Received
			}
			s.got = append(s.got, received{ls.String(), t, p.V})
			s.seq++
		}
	}
	return nil
}

// testNow is the wall clock of these tests, Unix ms.
const testNow = 1_700_000_000_000

func newHandler(t testing.TB, s Sink, change func(*Config)) *Handler {
	t.Helper()
	cfg := Defaults()
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg, Deps{Sink: s, Now: func() int64 { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// do runs one request through a handler method and renders its error as the
// server does.
func do(f func(http.ResponseWriter, *http.Request, Caller) error, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if err := f(w, r, Caller{Token: "t"}); err != nil {
		p, _ := problem.From(err)
		problem.Write(w, r, p)
	}
	return w
}

func postJSON(h *Handler, body string, hdr ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/v1/ingest", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(hdr); i += 2 {
		r.Header.Set(hdr[i], hdr[i+1])
	}
	return do(h.JSON, r)
}

func jsonBatch(n int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"cpu_percent","value":%d.25,"tags":{"host":"web-%d","dc":"eu-1"},"timestamp":1700000000.5}`, i%100, i)
	}
	b.WriteByte(']')
	return b.String()
}
