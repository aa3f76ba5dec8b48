package given

import (
	"encoding/json"
	"strconv"
	"time"

	"vigil/engine/clock"
)

// When is a stamp as evidence holds it: how far it lies from the moment of the
// decision, in nanoseconds, or whole where it is of another boot. What decides reads
// no more of a stamp than that. The zero When is never.
type When struct {
	set   bool
	off   int64
	other *clock.Stamp
}

// WhenOf is a stamp as it is seen at a moment.
func WhenOf(s, now clock.Stamp) When {
	switch {
	case s.IsZero():
		return When{}
	case s.BootID == now.BootID:
		return When{set: true, off: s.Boot - now.Boot}
	}
	return When{set: true, other: &s}
}

// At is the stamp again, seen from the same moment. Its wall clock is what it would
// be had nobody set the clock in between.
func (w When) At(now clock.Stamp) clock.Stamp {
	switch {
	case !w.set:
		return clock.Stamp{}
	case w.other != nil:
		return *w.other
	}
	return now.Add(time.Duration(w.off))
}

// Never says whether it is never.
func (w When) Never() bool { return !w.set }

// MarshalJSON is a number of nanoseconds, or a stamp.
func (w When) MarshalJSON() ([]byte, error) {
	if w.other != nil {
		return json.Marshal(w.other)
	}
	return strconv.AppendInt(nil, w.off, 10), nil
}

// UnmarshalJSON reads either.
func (w *When) UnmarshalJSON(b []byte) error {
	*w = When{set: true}
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, &w.other)
	}
	return json.Unmarshal(b, &w.off)
}

// Ago is the moment so many nanoseconds before now.
func Ago(now clock.Stamp, ns int64) clock.Stamp { return now.Add(-time.Duration(ns)) }
