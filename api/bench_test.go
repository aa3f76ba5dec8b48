package api

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vigil/api/apitest"
	"vigil/api/listen"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// swallow is an engine that takes samples and keeps nothing.
type swallow struct{ *apitest.Fake }

func (swallow) Ingest(_ context.Context, b *series.Batch) error { b.Seq = 1; return nil }

// BenchmarkFront is what a request costs between the socket and the engine: one
// sample as JSON from an unauthenticated caller on loopback.
func BenchmarkFront(b *testing.B) {
	f := apitest.New(clock.System())
	cfg := Defaults()
	cfg.RateLimit.IngestRequests = 1 << 40
	s, err := New(cfg, Deps{Engine: swallow{f}, Reader: f, Samples: f, Tokens: f, Clock: clock.System()})
	if err != nil {
		b.Fatal(err)
	}
	rd := strings.NewReader("")
	r := httptest.NewRequest("POST", "/api/v1/ingest", rd)
	r.Host, r.RemoteAddr = "127.0.0.1:8000", "127.0.0.1:40000"
	r.Header.Set("Content-Type", "application/json")
	r = r.WithContext(listen.WithPeer(r.Context(), near{}))
	b.ReportAllocs()
	for b.Loop() {
		rd.Reset(`{"name":"cpu","value":12.5,"tags":{"host":"web-1"}}`)
		w := nothing{http.Header{}}
		s.front(w, r)
	}
}

// near is a connection with both ends on loopback.
type near struct{ net.Conn }

func (near) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }
func (near) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000} }

type nothing struct{ h http.Header }

func (n nothing) Header() http.Header         { return n.h }
func (n nothing) Write(p []byte) (int, error) { return len(p), nil }
func (n nothing) WriteHeader(code int) {
	if code != http.StatusCreated {
		panic(code)
	}
}
