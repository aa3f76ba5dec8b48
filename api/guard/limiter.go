package guard

import (
	"sync"
	"time"

	"vigil/engine/clock"
)

// Limiter counts requests in fixed windows, one per key, on the boot clock. Its
// memory is bounded: beyond cap keys the newcomers share one count, so a flood
// of addresses cannot grow it, nor reset anybody's count.
type Limiter struct {
	now clock.Clock
	cap int

	mu      sync.Mutex
	windows map[string]*window
	swept   int64
}

type window struct {
	start, length int64 // ns on the boot clock
	n             int
}

// Verdict is a limiter's answer, with what the headers tell.
type Verdict struct {
	OK               bool
	Limit, Remaining int
	Reset            time.Duration // until the window ends
}

// NewLimiter makes a limiter for at most cap keys.
func NewLimiter(now clock.Clock, cap int) *Limiter {
	return &Limiter{now: now, cap: cap, windows: map[string]*window{}}
}

// shared is the key of all who come when the table is full.
const shared = "\x00"

// Take counts one request of key against limit per period.
func (l *Limiter) Take(key string, limit int, period time.Duration) Verdict {
	now := l.now().Boot
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[key]
	if w == nil {
		if len(l.windows) >= l.cap {
			l.sweep(now)
		}
		if len(l.windows) >= l.cap {
			key = shared
			w = l.windows[key]
		}
		if w == nil {
			w = &window{start: now, length: int64(period)}
			l.windows[key] = w
		}
	}
	if now-w.start >= w.length || now < w.start {
		*w = window{start: now, length: int64(period)}
	}
	v := Verdict{Limit: limit, Reset: time.Duration(w.start + w.length - now)}
	if w.n >= limit {
		return v
	}
	w.n++
	v.OK, v.Remaining = true, limit-w.n
	return v
}

// sweep drops windows that are over, at most once a second.
func (l *Limiter) sweep(now int64) {
	if now-l.swept < int64(time.Second) && now >= l.swept && l.swept != 0 {
		return
	}
	l.swept = now
	for k, w := range l.windows {
		if now-w.start >= w.length {
			delete(l.windows, k)
		}
	}
}
