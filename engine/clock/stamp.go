// Package clock is what the house knows of time: a moment told three ways.
//
// Everything that decides takes a [Stamp] as an argument; nothing that decides
// asks a clock. Durations between two stamps of one boot are measured on the
// boot clock, so a step of the wall clock neither fires nor expires anything;
// across boots only the wall clock is left and the answer says so.
//
// It starts nothing, and reading it never blocks.
package clock

import "time"

// Stamp is one moment. The zero Stamp means "never".
type Stamp struct {
	Wall   int64  `json:"wall"`              // Unix microseconds, UTC
	Boot   int64  `json:"boot"`              // nanoseconds since the host booted, suspend included
	BootID string `json:"boot_id,omitempty"` // kernel boot id
}

// IsZero reports whether s is never.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Time is the wall clock of s in UTC.
func (s Stamp) Time() time.Time { return time.UnixMicro(s.Wall).UTC() }

// Millis is the wall clock of s in Unix milliseconds, the unit of samples.
func (s Stamp) Millis() int64 { return s.Wall / 1000 }

// Add returns the stamp d later on both clocks.
func (s Stamp) Add(d time.Duration) Stamp {
	return Stamp{Wall: s.Wall + d.Microseconds(), Boot: s.Boot + int64(d), BootID: s.BootID}
}

// Sub is the time from old to s. Within one boot it is exact and unmoved by
// steps of the wall clock (same is true); across boots it is the wall clock's
// difference, never negative, and same is false.
func (s Stamp) Sub(old Stamp) (d time.Duration, same bool) {
	if s.BootID == old.BootID {
		return time.Duration(s.Boot - old.Boot), true
	}
	return max(0, time.Duration(s.Wall-old.Wall)*time.Microsecond), false
}

// Reached reports whether s is at or after t. Within one boot the boot clock
// decides; across boots the wall clock.
func (s Stamp) Reached(t Stamp) bool {
	if s.BootID == t.BootID {
		return s.Boot >= t.Boot
	}
	return s.Wall >= t.Wall
}

// Clock tells the moment. It never blocks and may be called concurrently.
type Clock func() Stamp
