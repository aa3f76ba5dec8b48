// Package ingest is wire formats to samples: JSON as the original spoke it
// (single, array, NDJSON) and Prometheus remote write 1.0.
//
// A request's body, its decoded form and its batch come from a pool; decoders
// walk the bytes and fill a [series.Batch] in place, so that nothing is
// allocated per sample. A request is answered only after the [Sink] took its
// batch, which means after the disk did.
//
// It refuses to know who asks (the caller is an argument), to keep anything
// after the answer, and every body over its caps: compressed and decoded bytes,
// ratio, samples, series, depth, and bytes in flight over all requests. A
// declared length is checked before a byte is reserved for it.
//
// It starts nothing; handlers may be called concurrently and return errors of
// api/problem and engine/fault for their caller to write.
package ingest

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"vigil/api/problem"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// Sink takes a batch and returns when it is durable, with a verdict on every
// item. It keeps nothing of the batch after it returned. An error means that
// nothing was taken. Concurrent.
type Sink interface {
	Ingest(ctx context.Context, b *series.Batch) error
}

// Caller is who sent the samples, as the front door found out.
type Caller struct {
	Open  bool   // not authenticated
	Token string // name of the token, "" for none
}

// Config is the caps of the ingest face.
type Config struct {
	MaxBody     int64 `toml:"max_body"`     // bytes of a body as sent
	MaxDecoded  int64 `toml:"max_decoded"`  // bytes of a body after decompression
	MaxSamples  int   `toml:"max_samples"`  // samples in one request
	MaxSeries   int   `toml:"max_series"`   // series in one request
	MaxInFlight int64 `toml:"max_inflight"` // bytes held by all requests together
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{
		MaxBody: 8 << 20, MaxDecoded: 32 << 20,
		MaxSamples: 500_000, MaxSeries: 100_000,
		MaxInFlight: 48 << 20,
	}
}

// Validate names the first setting that cannot work.
func (c Config) Validate() error {
	for _, v := range []struct {
		name string
		n    int64
	}{
		{"max_body", c.MaxBody}, {"max_decoded", c.MaxDecoded}, {"max_samples", int64(c.MaxSamples)},
		{"max_series", int64(c.MaxSeries)}, {"max_inflight", c.MaxInFlight},
	} {
		if v.n <= 0 || v.n > 1<<40 {
			return fault.New(fault.Unprocessable, "%d is out of range", v.n).At("api.ingest." + v.name).Mend("give a number above zero")
		}
	}
	if c.MaxInFlight < c.MaxBody+c.MaxDecoded {
		return fault.New(fault.Unprocessable, "%d bytes do not hold one request of max_body + max_decoded bytes", c.MaxInFlight).
			At("api.ingest.max_inflight").Mend("raise it to %d or lower the others", c.MaxBody+c.MaxDecoded)
	}
	return nil
}

// Deps is what the handlers need from others.
type Deps struct {
	Sink     Sink
	Now      func() int64 // Unix ms, of the wall clock
	Deferred bool         // the sink answers before the disk does, and so each answer says
}

// Handler decodes requests and hands them to the sink.
type Handler struct {
	cfg      Config
	sink     Sink
	now      func() int64
	deferred bool
	pool     sync.Pool // *request
	inflight atomic.Int64
	names    names

	samples, refused, requests, failures atomic.Uint64
}

// New makes the handlers; it starts nothing.
func New(cfg Config, d Deps) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Now == nil {
		d.Now = func() int64 { return time.Now().UnixMilli() }
	}
	h := &Handler{cfg: cfg, sink: d.Sink, now: d.Now, deferred: d.Deferred}
	h.pool.New = func() any { return new(request) }
	return h, nil
}

// Stats is the ingest face seen from outside.
type Stats struct {
	Requests, Failures uint64 // answered; of them, answered with an error
	Samples, Refused   uint64 // taken; refused one by one
	InFlight           int64  // bytes held now
}

// Stats reads the counters; concurrent.
func (h *Handler) Stats() Stats {
	return Stats{h.requests.Load(), h.failures.Load(), h.samples.Load(), h.refused.Load(), h.inflight.Load()}
}

// submit hands the batch over and counts its verdicts. `?backfill=true` lets
// callers with a token bring samples of before the window for late ones.
func (h *Handler) submit(w http.ResponseWriter, r *http.Request, q *request, c Caller) error {
	b := &q.batch
	b.Received, b.Open, b.Token = h.now(), c.Open, c.Token
	b.Backfill = r.URL.RawQuery != "" && r.URL.Query().Get("backfill") == "true"
	if b.Backfill && c.Open {
		return fault.New(fault.Unauthenticated, "backfill needs a token")
	}
	if h.deferred {
		w.Header().Set("Durability", "deferred")
	}
	if err := h.sink.Ingest(r.Context(), b); err != nil {
		return err
	}
	taken, refused := 0, 0
	for i := range b.Items {
		taken += int(b.Items[i].Hi - b.Items[i].Lo)
		refused += int(b.Items[i].Refused)
	}
	h.samples.Add(uint64(taken))
	h.refused.Add(uint64(refused))
	return nil
}

// wait is how long a sender should wait before it tries a refused sample again.
func wait(r series.Reason) time.Duration {
	if r == series.SeriesCap {
		return time.Minute // room comes with retention, not in a second
	}
	return time.Second
}

// tooMany is the error for samples that may be accepted later.
func tooMany(r series.Reason) error {
	return fault.New(fault.Exhausted, "%s", explain(r)).After(wait(r))
}

var explanations = map[series.Reason]string{
	series.Future:    "timestamp is over 10 minutes in the future",
	series.TooOld:    "timestamp is before the window for late samples",
	series.BadLabels: "labels are not valid: a name is needed, all must be UTF-8, none given twice, and none over the size caps",
	series.SeriesCap: "the cap on series is reached: existing series go on, new ones are refused",
	series.LocalName: "this name or series is measured by vigild itself and cannot be pushed",
	series.Lagging:   "evaluation is behind: send it again",
	series.Rejected:  "the sample was refused",
}

func explain(r series.Reason) string {
	if s, ok := explanations[r]; ok {
		return s
	}
	return r.String()
}

// count keeps the request counters and passes the error on.
func (h *Handler) count(err error) error {
	h.requests.Add(1)
	if err != nil {
		h.failures.Add(1)
	}
	return err
}

// unsupported is a 415 that says what is spoken here.
func unsupported(what, given, spoken string) error {
	p := problem.New(fault.Unsupported, what+" "+strconv.Quote(given)+" is not spoken here")
	p.Hint = "send " + spoken
	return p
}

func header(r *http.Request, name string) string { return r.Header.Get(name) }
