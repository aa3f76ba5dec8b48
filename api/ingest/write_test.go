package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"pgregory.net/rapid"

	"vigil/engine/series"
)

type nullSink struct{}

func (nullSink) Ingest(_ context.Context, b *series.Batch) error { b.Seq = 1; return nil }

type discard struct {
	h http.Header
	n int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { d.n += len(p); return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// ---- an encoder of our own, so that the walk is not tested against itself

func bytesField(dst []byte, num int, v []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(num)<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	return append(dst, v...)
}

func sampleField(dst []byte, t int64, v float64) []byte {
	var s []byte
	if v != 0 || math.Signbit(v) {
		s = append(s, 1<<3|1)
		s = binary.LittleEndian.AppendUint64(s, math.Float64bits(v))
	}
	if t != 0 {
		s = append(s, 2<<3)
		s = binary.AppendUvarint(s, uint64(t))
	}
	return bytesField(dst, 2, s)
}

func labelField(dst []byte, k, v string) []byte {
	return bytesField(dst, 1, bytesField(bytesField(nil, 1, []byte(k)), 2, []byte(v)))
}

func writeRequest(n, each int) []byte {
	var out []byte
	for i := range n {
		var ts []byte
		ts = labelField(ts, "__name__", "node_cpu_seconds_total")
		ts = append(ts, labelField(nil, "cpu", fmt.Sprint(i%64))...)
		ts = append(ts, labelField(nil, "instance", fmt.Sprintf("host-%d:9100", i))...)
		ts = append(ts, labelField(nil, "job", "node")...)
		for k := range each {
			ts = sampleField(ts, testNow+int64(k), float64(i)+0.25)
		}
		out = bytesField(out, 1, ts)
	}
	return out
}

func postWrite(h *Handler, body []byte, hdr ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/v1/write", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "snappy")
	for i := 0; i+1 < len(hdr); i += 2 {
		r.Header.Set(hdr[i], hdr[i+1])
	}
	return do(h.RemoteWrite, r)
}

// TestRemoteWriteReadsWhatWasSent is a property: any series and samples, fields
// in any order with unknown ones between, arrive as they were.
func TestRemoteWriteReadsWhatWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var req []byte
		var want []received
		for i := range rapid.IntRange(0, 6).Draw(t, "series") {
			ls := map[string]string{}
			for range rapid.IntRange(0, 4).Draw(t, "labels") {
				ls[rapid.StringMatching(`[a-z_]{1,6}`).Draw(t, "k")] = rapid.StringN(1, 200, -1).Draw(t, "v")
			}
			name := fmt.Sprintf("m%d", i)
			var parts [][]byte
			parts = append(parts, labelField(nil, "__name__", name))
			for k, v := range ls {
				parts = append(parts, labelField(nil, k, v))
			}
			if rapid.Bool().Draw(t, "unknown") {
				parts = append(parts, bytesField(nil, 3, []byte("exemplar")), bytesField(nil, 4, []byte{8, 1}), append(binary.AppendUvarint(nil, 200<<3|5), 1, 2, 3, 4))
			}
			parts = rapid.Permutation(parts).Draw(t, "order")
			var ts []byte
			for _, p := range parts {
				ts = append(ts, p...)
			}
			full := series.FromMap(name, ls).String()
			for range rapid.IntRange(0, 3).Draw(t, "samples") {
				tm, v := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "t"), rapid.Float64().Draw(t, "f")
				ts = sampleField(ts, tm, v)
				want = append(want, received{full, tm, v})
			}
			req = bytesField(req, 1, ts)
			if rapid.Bool().Draw(t, "metadata") {
				req = bytesField(req, 3, []byte("metadata"))
			}
		}
		s := &sink{}
		h, _ := New(Defaults(), Deps{Sink: s})
		if w := postWrite(h, snappy.Encode(nil, req)); w.Code != 204 || w.Body.Len() > 0 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if d := cmp.Diff(want, s.got, cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })); d != "" {
			t.Fatal(d)
		}
	})
}

func TestRemoteWriteAnswers(t *testing.T) {
	good := snappy.Encode(nil, writeRequest(3, 1))
	for _, tc := range []struct {
		name   string
		body   []byte
		reason series.Reason
		hdr    []string
		status int
		retry  string
	}{
		{"good", good, 0, nil, 204, ""},
		{"no encoding header", good, 0, []string{"Content-Encoding", ""}, 204, ""},
		{"empty request", snappy.Encode(nil, nil), 0, nil, 204, ""},
		{"gzip", good, 0, []string{"Content-Encoding", "gzip"}, 415, ""},
		{"json", good, 0, []string{"Content-Type", "application/json"}, 415, ""},
		{"version 2", good, 0, []string{"Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, 415, ""},
		{"named version 1", good, 0, []string{"Content-Type", "application/x-protobuf;proto=prometheus.WriteRequest"}, 204, ""},
		{"not snappy", []byte("hello"), 0, nil, 400, ""},
		{"no body", nil, 0, nil, 400, ""},
		{"not protobuf", snappy.Encode(nil, []byte("hello")), 0, nil, 400, ""},
		{"label cut short", snappy.Encode(nil, bytesField(nil, 1, []byte{0x0a, 0x7f})), 0, nil, 400, ""},
		{"too old", good, series.TooOld, nil, 400, ""},
		{"lagging", good, series.Lagging, nil, 429, "1"},
		{"series cap", good, series.SeriesCap, nil, 429, "60"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &sink{reason: map[string]series.Reason{"node_cpu_seconds_total": tc.reason}}
			w := postWrite(newHandler(t, s, nil), tc.body, tc.hdr...)
			if w.Code != tc.status || w.Header().Get("Retry-After") != tc.retry {
				t.Errorf("%d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		})
	}
}

// TestIngestRefusesBombs: what is declared costs nothing before it is believed,
// and what is refused gives back what it held.
func TestIngestRefusesBombs(t *testing.T) {
	declared := func(n uint64, rest ...byte) []byte { return append(binary.AppendUvarint(nil, n), rest...) }
	small := func(c *Config) { c.MaxBody, c.MaxDecoded, c.MaxInFlight = 1<<20, 4<<20, 6<<20 }
	many := make([]byte, 0, 1<<20)
	for range 600_000 { // empty samples of one series: two bytes each
		many = append(many, 0x12, 0)
	}
	floods := make([]byte, 0, 1<<20)
	for range 110_000 { // series of one empty sample
		floods = append(floods, 0x0a, 2, 0x12, 0)
	}
	for _, tc := range []struct {
		name   string
		do     func(h *Handler) *httptest.ResponseRecorder
		status int
	}{
		{"snappy that declares 2.5 GB in 47 bytes", func(h *Handler) *httptest.ResponseRecorder {
			return postWrite(h, declared(2_500_000_000, make([]byte, 42)...))
		}, 413},
		{"snappy that declares 4 MB in 47 bytes", func(h *Handler) *httptest.ResponseRecorder {
			return postWrite(h, declared(4_000_000, make([]byte, 43)...))
		}, 400},
		{"snappy over 32 bits", func(h *Handler) *httptest.ResponseRecorder { return postWrite(h, declared(1<<40)) }, 400},
		{"gzip 1000:1", func(h *Handler) *httptest.ResponseRecorder {
			return postJSON(h, gz(`{"name":"a","value":1}`+strings.Repeat(" ", 5<<20)), "Content-Encoding", "gzip")
		}, 413},
		{"gzip that is not", func(h *Handler) *httptest.ResponseRecorder { return postJSON(h, "{}", "Content-Encoding", "gzip") }, 400},
		{"body over the cap", func(h *Handler) *httptest.ResponseRecorder { return postJSON(h, strings.Repeat(" ", 2<<20)) }, 413},
		{"half a million samples", func(h *Handler) *httptest.ResponseRecorder {
			return postWrite(h, snappy.Encode(nil, bytesField(nil, 1, many)))
		}, 413},
		{"a flood of series", func(h *Handler) *httptest.ResponseRecorder { return postWrite(h, snappy.Encode(nil, floods)) }, 413},
		{"a million levels", func(h *Handler) *httptest.ResponseRecorder { return postJSON(h, strings.Repeat("[", 1_000_000)) }, 422},
		{"a million tags", func(h *Handler) *httptest.ResponseRecorder {
			return postJSON(h, `{"name":"a","value":1,"tags":{`+strings.Repeat(`"k":"",`, 100_000)+`"z":"z"}}`)
		}, 422},
		{"a million array items", func(h *Handler) *httptest.ResponseRecorder {
			return postJSON(h, "["+strings.Repeat("1,", 200_000)+"1]")
		}, 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHandler(t, &sink{}, small)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := tc.do(h)
			runtime.ReadMemStats(&after)
			if cost := after.TotalAlloc - before.TotalAlloc; strings.Contains(tc.name, "47 bytes") && cost > 256<<10 {
				t.Errorf("refusing it cost %d bytes", cost)
			}
			if w.Code != tc.status {
				t.Errorf("status %d, want %d: %.300s", w.Code, tc.status, w.Body)
			}
			if w.Body.Len() > 4096 {
				t.Errorf("the answer has %d bytes", w.Body.Len())
			}
			if n := h.Stats().InFlight; n != 0 {
				t.Errorf("%d bytes are still held", n)
			}
			if w := postJSON(h, `{"name":"a","value":1}`); w.Code != 201 {
				t.Errorf("does not serve any more: %s", w.Body)
			}
		})
	}
}

// TestIngestBytesInFlightAreBounded: readers that together want more than the
// cap are told to come back, and the share of a finished one is free again.
func TestIngestBytesInFlightAreBounded(t *testing.T) {
	h := newHandler(t, &sink{}, func(c *Config) { c.MaxBody, c.MaxDecoded, c.MaxInFlight = 1<<20, 1<<20, 2<<20 })
	h.inflight.Store(2<<20 - 100)
	w := postJSON(h, `{"name":"a","value":1,"x":"`+strings.Repeat("x", 200)+`"}`)
	if w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	h.inflight.Store(0)
	if w := postJSON(h, `{"name":"a","value":1}`); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func FuzzDecodeWrite(f *testing.F) {
	f.Add(writeRequest(2, 2))
	f.Add([]byte{0x0a, 0x04, 0x0a, 0x00, 0x12, 0x00})
	f.Add([]byte{0x8a, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, in []byte) {
		h, _ := New(Defaults(), Deps{Sink: &sink{}})
		q := h.take()
		if h.decodeWrite(q, in) != nil {
			return
		}
		n := 0
		for _, it := range q.batch.Items {
			if it.Hi <= it.Lo || int(it.Hi) > len(q.batch.Points) {
				t.Fatalf("item %+v of %d points", it, len(q.batch.Points))
			}
			n += int(it.Hi - it.Lo)
		}
		if n != len(q.batch.Points) {
			t.Fatalf("%d points in items, %d in all", n, len(q.batch.Points))
		}
	})
}

// TestRemoteWriteAllocatesNothingPerSample: the whole handler, warm, allocates
// the same for a thousand samples as for ten.
func TestRemoteWriteAllocatesNothingPerSample(t *testing.T) {
	h := newHandler(t, nullSink{}, nil)
	run := func(n int) float64 {
		body := string(snappy.Encode(nil, writeRequest(n, 1)))
		rd := strings.NewReader(body)
		r := httptest.NewRequest("POST", "/api/v1/write", rd)
		r.Header.Set("Content-Type", "application/x-protobuf")
		r.Header.Set("Content-Encoding", "snappy")
		w := &discard{h: http.Header{}}
		q := new(request) // one request memory: the pool's own misses are not the matter
		h.pool.New = func() any { return q }
		return testing.AllocsPerRun(50, func() {
			rd.Reset(body)
			if err := h.RemoteWrite(w, r, Caller{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := run(10), run(1000)
	if many > few+1 {
		t.Errorf("%v allocations for 1000 samples, %v for 10", many, few)
	}
}

func BenchmarkRemoteWrite(b *testing.B) {
	body := string(snappy.Encode(nil, writeRequest(1000, 1)))
	h := newHandler(b, nullSink{}, nil)
	rd := strings.NewReader(body)
	r := httptest.NewRequest("POST", "/api/v1/write", rd)
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "snappy")
	w := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		rd.Reset(body)
		if err := h.RemoteWrite(w, r, Caller{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/sample")
}
