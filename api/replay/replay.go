// Package replay remembers the answers to POST requests that carried an
// Idempotency-Key, so that a client which lost an answer may ask again without
// asking twice.
//
// It is bounded, for a day, and survives a restart: a key is on disk before its
// request is carried out, and its answer after. One whose request vigild did not
// live to answer is a conflict for the rest of that day, since nothing tells
// whether it was carried out. It refuses a key for two bodies, and to keep
// failures, giants and secrets. Where the disk does not take a key, it is kept in
// memory alone. Starts nothing; concurrent.
package replay

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Memory is the answers that are remembered.
type Memory struct {
	clock clock.Clock
	store engine.Replays // may be nil
	log   *slog.Logger
	mu    sync.Mutex
	by    map[string]*list.Element // of *replay, by caller, route and key
	order *list.List               // oldest first
	bytes int
}

// replay is one request and, once done, its answer.
type replay struct {
	engine.Replay
	lost bool // not done, and vigild was started anew since
}

const (
	replayKeep  = 24 * time.Hour
	replayCount = 4096
	replayBytes = 8 << 20
	replayBody  = 64 << 10 // an answer longer than this is not kept
	storeTime   = 5 * time.Second
)

// New makes a memory of what the store holds; without a store, of nothing. It
// blocks for as long as reading that takes.
func New(c clock.Clock, store engine.Replays, log *slog.Logger) (*Memory, error) {
	rs := &Memory{clock: c, store: store, log: log, by: map[string]*list.Element{}, order: list.New()}
	if store == nil {
		return rs, nil
	}
	kept, err := store.Replays(context.Background())
	if err != nil {
		return nil, err
	}
	for _, r := range kept {
		rs.by[r.Key] = rs.order.PushBack(&replay{Replay: r, lost: !r.Done})
		rs.bytes += len(r.Body)
	}
	return rs, nil
}

// begin claims a key. It returns the earlier answer when there is one; Conflict
// while the first request still runs, or when nobody saw its end; Unprocessable
// when the body differs.
func (rs *Memory) begin(key string, sum [32]byte) (*replay, error) {
	old, made, forget, err := rs.claim(key, sum)
	switch {
	case err == nil && old == nil:
		rs.keep(func(ctx context.Context) error { return rs.store.PutReplay(ctx, made, forget) })
	case len(forget) > 0:
		rs.keep(func(ctx context.Context) error { return rs.store.ForgetReplays(ctx, forget) })
	}
	return old, err
}

// keep writes to the store, whatever becomes of the caller meanwhile.
func (rs *Memory) keep(write func(context.Context) error) {
	if rs.store == nil {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), storeTime)
	defer done()
	if err := write(ctx); err != nil {
		rs.log.Warn("an Idempotency-Key is kept in memory alone", "err", err)
	}
}

// claim is begin in memory. forget are the keys that made room, whatever else is
// returned.
func (rs *Memory) claim(key string, sum [32]byte) (old *replay, made engine.Replay, forget []string, err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	now := rs.clock()
	for e := rs.order.Front(); e != nil; e = rs.order.Front() {
		first := e.Value.(*replay)
		if age, _ := now.Sub(first.At); age < replayKeep && rs.order.Len() < replayCount && rs.bytes < replayBytes {
			break
		}
		forget = append(forget, first.Key)
		rs.drop(e)
	}
	if e := rs.by[key]; e != nil {
		old := e.Value.(*replay)
		switch {
		case old.Sum != sum:
			return nil, made, forget, fault.New(fault.Unprocessable, "this Idempotency-Key was used for another request").Mend("make a new key for each request")
		case old.lost:
			return nil, made, forget, fault.New(fault.Conflict, "vigild ended while the first request with this Idempotency-Key was carried out, and nothing tells whether it was").
				Mend("look whether it was done; if it was not, ask with a new key")
		case !old.Done:
			return nil, made, forget, fault.New(fault.Conflict, "the first request with this Idempotency-Key is still running").After(time.Second)
		}
		return old, made, forget, nil
	}
	made = engine.Replay{Key: key, Sum: sum, At: now}
	rs.by[key] = rs.order.PushBack(&replay{Replay: made})
	return nil, made, forget, nil
}

func (rs *Memory) drop(e *list.Element) {
	old := rs.order.Remove(e).(*replay)
	rs.bytes -= len(old.Body)
	delete(rs.by, old.Key)
}

// end keeps the answer. One that may go otherwise next time (5xx, 429) and one
// that is too long free the key instead.
func (rs *Memory) end(key string, status int, media string, body []byte) {
	if r, done := rs.settle(key, status, media, body); done {
		rs.keep(func(ctx context.Context) error { return rs.store.PutReplay(ctx, r, nil) })
	} else {
		rs.keep(func(ctx context.Context) error { return rs.store.ForgetReplays(ctx, []string{key}) })
	}
}

// settle is end in memory; false: the key is free again.
func (rs *Memory) settle(key string, status int, media string, body []byte) (engine.Replay, bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	e := rs.by[key]
	if e == nil {
		return engine.Replay{}, false
	}
	if status == 0 || status >= 500 || status == http.StatusTooManyRequests || len(body) > replayBody {
		rs.drop(e)
		return engine.Replay{}, false
	}
	r := e.Value.(*replay)
	r.Done, r.Status, r.Media, r.Body = true, status, media, bytes.Clone(body)
	rs.bytes += len(r.Body)
	return r.Replay, true
}

// Serve serves a request once per actor, URL and key; next answers it the first
// time. The body is read whole and has to be bounded, as the key has. An error says that nothing
// was answered yet.
func (rs *Memory) Serve(w http.ResponseWriter, r *http.Request, actor, key string, next http.HandlerFunc) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fault.New(fault.TooLarge, "the body is over what is taken, or cut short")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	hash := sha256.Sum256([]byte(actor + "\x00" + r.URL.RequestURI() + "\x00" + key))
	whole := hex.EncodeToString(hash[:])
	old, err := rs.begin(whole, sha256.Sum256(body))
	if err != nil {
		return err
	}
	if old != nil {
		h := w.Header()
		h.Set("Content-Type", old.Media)
		h.Set("Idempotency-Replayed", "true")
		w.WriteHeader(old.Status)
		_, _ = w.Write(old.Body)
		return nil
	}
	rec := &recorder{ResponseWriter: w}
	defer func() { rs.end(whole, rec.kept(), w.Header().Get("Content-Type"), rec.body.Bytes()) }()
	next(rec, r)
	rec.whole = true
	return nil
}

// recorder keeps the status and the beginning of an answer while it passes it on.
type recorder struct {
	http.ResponseWriter
	body   bytes.Buffer
	status int
	whole  bool
}

// kept is the status of an answer that came to its end, else 0.
func (w *recorder) kept() int {
	if !w.whole || w.Header().Get("Cache-Control") == "no-store" { // a secret is shown once and not kept
		return 0
	}
	return w.status
}

// WriteHeader remembers the first status.
func (w *recorder) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if room := replayBody + 1 - w.body.Len(); room > 0 {
		w.body.Write(p[:min(room, len(p))])
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
