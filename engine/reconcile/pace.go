package reconcile

import (
	"time"

	"vigil/engine/document"
)

// Pace is how fast one thing is healed again and again.
type Pace struct {
	Backoff     document.Duration `yaml:"backoff"`     // after the first repeat; doubled after each
	MaxAttempts int               `yaml:"maxAttempts"` // in a row, before it stops itself
	QuietReset  document.Duration `yaml:"quietReset"`  // this long without a difference and the count is zero
}

// PaceDefaults: a second, doubled, at most eight in a row, forgotten after ten
// quiet minutes.
func PaceDefaults() Pace {
	return Pace{document.Duration(time.Second), 8, document.Duration(10 * time.Minute)}
}

// maxBackoff caps the doubling, and is the time after which a heal that stopped
// itself is tried again: nothing stops for ever.
const maxBackoff = time.Hour

// Heals is how the healing of one thing went so far; it is stored with it.
type Heals struct {
	Count  int       `json:"count"`            // in a row
	Last   time.Time `json:"last"`             // end of the newest
	Until  time.Time `json:"until"`            // not before
	Field  string    `json:"field,omitempty"`  // the difference that came back
	Wanted string    `json:"wanted,omitempty"` // the two values that fight
	Found  string    `json:"found,omitempty"`
}

// Stopped reports whether the thing fights with somebody, and until when it is
// left alone.
func (h Heals) Stopped(p Pace, now time.Time) (until time.Time, stopped bool) {
	return h.Until, h.Count >= p.MaxAttempts && now.Before(h.Until)
}

// Due reports whether the thing may be healed now. Pure.
func (h Heals) Due(p Pace, now time.Time) bool {
	return h.reset(p, now).Count == 0 || !now.Before(h.Until)
}

// After is the count after one more heal of these differences that ended at now.
// The first is free: the thing may be healed again at once when something else
// differs then. Pure.
func (h Heals) After(p Pace, diffs []Difference, now time.Time) Heals {
	h = h.reset(p, now)
	h.Count++
	h.Last = now
	wait := p.Backoff.Std()
	for i := 1; i < h.Count && wait < maxBackoff; i++ {
		wait *= 2
	}
	if h.Count >= p.MaxAttempts {
		wait = maxBackoff
	}
	h.Until = now.Add(min(wait, maxBackoff))
	if len(diffs) > 0 {
		h.Field, h.Wanted, h.Found = diffs[0].Field, diffs[0].Wanted, diffs[0].Found
	}
	return h
}

// reset forgets what lies longer back than the quiet time. A clock that went
// back forgets nothing.
func (h Heals) reset(p Pace, now time.Time) Heals {
	if h.Count > 0 && now.Sub(h.Last) >= p.QuietReset.Std() && !now.Before(h.Until) {
		return Heals{}
	}
	return h
}
