// Package replay remembers the answers to POST requests that carried an
// Idempotency-Key, so that a client which lost an answer may ask again without
// asking twice.
//
// It is in memory, bounded, for a day: a restart forgets, which is said in the
// documentation. It refuses a key for two bodies, and to keep failures, giants
// and secrets. Starts nothing; concurrent.
package replay

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"io"
	"net/http"
	"sync"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Memory is the answers that are remembered.
type Memory struct {
	clock clock.Clock
	mu    sync.Mutex
	by    map[string]*list.Element // of *replay, by caller, route and key
	order *list.List               // oldest first
	bytes int
}

// replay is one request and, once done, its answer.
type replay struct {
	key    string
	sum    [32]byte // of the request's body
	at     clock.Stamp
	done   bool
	status int
	media  string
	body   []byte
}

const (
	replayKeep  = 24 * time.Hour
	replayCount = 4096
	replayBytes = 8 << 20
	replayBody  = 64 << 10 // an answer longer than this is not kept
)

// New makes a memory of nothing.
func New(c clock.Clock) *Memory {
	return &Memory{clock: c, by: map[string]*list.Element{}, order: list.New()}
}

// begin claims a key. It returns the earlier answer when there is one; Conflict
// while the first request still runs; Unprocessable when the body differs.
func (rs *Memory) begin(key string, sum [32]byte) (*replay, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	now := rs.clock()
	for e := rs.order.Front(); e != nil; e = rs.order.Front() {
		old := e.Value.(*replay)
		if age, _ := now.Sub(old.at); age < replayKeep && rs.order.Len() < replayCount && rs.bytes < replayBytes {
			break
		}
		rs.drop(e)
	}
	if e := rs.by[key]; e != nil {
		old := e.Value.(*replay)
		switch {
		case old.sum != sum:
			return nil, fault.New(fault.Unprocessable, "this Idempotency-Key was used for another request").Mend("make a new key for each request")
		case !old.done:
			return nil, fault.New(fault.Conflict, "the first request with this Idempotency-Key is still running").After(time.Second)
		}
		return old, nil
	}
	rs.by[key] = rs.order.PushBack(&replay{key: key, sum: sum, at: now})
	return nil, nil
}

func (rs *Memory) drop(e *list.Element) {
	old := rs.order.Remove(e).(*replay)
	rs.bytes -= len(old.body)
	delete(rs.by, old.key)
}

// end keeps the answer. One that may go otherwise next time (5xx, 429) and one
// that is too long free the key instead.
func (rs *Memory) end(key string, status int, media string, body []byte) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	e := rs.by[key]
	if e == nil {
		return
	}
	if status == 0 || status >= 500 || status == http.StatusTooManyRequests || len(body) > replayBody {
		rs.drop(e)
		return
	}
	r := e.Value.(*replay)
	r.done, r.status, r.media, r.body = true, status, media, bytes.Clone(body)
	rs.bytes += len(r.body)
}

// Serve serves a request once per actor, URL and key; next answers it the first
// time. The body is read whole and has to be bounded. An error says that nothing
// was answered yet.
func (rs *Memory) Serve(w http.ResponseWriter, r *http.Request, actor, key string, next http.HandlerFunc) error {
	if len(key) > 255 || !printable(key) {
		return fault.New(fault.Invalid, "the Idempotency-Key is not 1 to 255 printable characters")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fault.New(fault.TooLarge, "the body is over what is taken, or cut short")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	whole := actor + "\x00" + r.URL.RequestURI() + "\x00" + key
	old, err := rs.begin(whole, sha256.Sum256(body))
	if err != nil {
		return err
	}
	if old != nil {
		h := w.Header()
		h.Set("Content-Type", old.media)
		h.Set("Idempotency-Replayed", "true")
		w.WriteHeader(old.status)
		_, _ = w.Write(old.body)
		return nil
	}
	rec := &recorder{ResponseWriter: w}
	defer func() { rs.end(whole, rec.kept(), w.Header().Get("Content-Type"), rec.body.Bytes()) }()
	next(rec, r)
	rec.whole = true
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
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
