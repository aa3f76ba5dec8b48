// Package story is the small text language in which policies are proved: series,
// the policies that watch them, and what must be the case at which time.
//
//	# a comment
//	every 10s                                  # or: every 10s from 1m
//	  cpu{host="web1"}  0.2x3 0.95x12 _x2 0.3+0.1x6 stale
//	policy hot                                 # or: policy hot hot.yaml
//	at 80s   hot{host="web1"} pending
//	at 100s  hot{host="web1"} firing  remedy service web1
//	at 200s  hot{host="web1"} ok      no remedy
//
// The first value of a series stands at the start of its block, 0s unless `from`
// says otherwise. 0.2x3 is that value three times, 0.3+0.1x6 is six values that
// grow by 0.1 (or fall, with -), _ is a time without a sample, stale ends the
// series; nan, inf and -inf are values.
//
// It reads text and refuses I/O; the engine on a virtual clock plays what it
// reads. Bounded: 1 MiB, a million values. Pure.
package story

import (
	"time"

	"vigil/engine/policy"
	"vigil/engine/series"
)

// The caps on one story.
const (
	MaxBytes  = 1 << 20
	MaxValues = 1_000_000
	maxIssues = 50
	maxLength = 366 * 24 * time.Hour
)

// Story is what a file tells.
type Story struct {
	Series   []Series
	Policies []Policy
	Expect   []Expectation // by time, then by line
	End      time.Duration // of the last sample or expectation
}

// Series is what one series does. The time of a point is ms since the beginning
// of the story.
type Series struct {
	Labels series.Labels
	Points []series.Point
	Place  string
}

// Policy is one that takes part, by name; File says where it stands, "" among
// the policies that are given beside the story.
type Policy struct {
	Name, File, Place string
}

// Expectation is what must be the case once everything at At has been looked at.
type Expectation struct {
	At     time.Duration
	Policy string
	Labels series.Labels // of the instance, `__name__` left out
	State  policy.State
	Remedy *Remedy // a remediation queued since the expectation before it, nil: not said
	None   bool    // `no remedy`: none was queued since then
	Place  string
}

// Remedy is an act that must have been asked for.
type Remedy struct {
	Action, Target string
}
