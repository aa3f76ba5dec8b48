package policy

import (
	"time"

	"vigil/engine/fault"
	"vigil/engine/series"
)

// Truth has three values. The zero Truth is Unknown: it neither fires nor clears.
type Truth int8

// The three truths.
const (
	Unknown Truth = 0
	True    Truth = 1
	False   Truth = -1
)

// Condition is a compiled Spec. Immutable; safe for concurrent use.
type Condition struct {
	Spec    Spec
	Match   series.Selector
	Sources []Source // Sources[0] is Match; then one per distinct joined selector
	// TimeDriven says that the truth can change without a sample (age, absent,
	// firing_for, now_hour, weekday): such instances are woken by the timer.
	TimeDriven bool
	// Widest is the longest window of any source: how far back to refill.
	Widest time.Duration
}

// Source is one selector a condition reads. On is the labels whose values must
// equal the instance's (nil for Sources[0]); joined sources read, they do not wake.
type Source struct {
	Selector series.Selector
	On       []string
}

// Compile checks and compiles a spec. Issue places are the field name and the
// column in it, as `fire:7`; the caller turns them into file positions.
func Compile(s Spec) (*Condition, fault.Issues) { panic("policy: not built") }

// Bytes is the most memory one instance of the condition can hold.
func (c *Condition) Bytes() int { panic("policy: not built") }

// Instance makes the state of one matched series (or of the selector's anchor).
func (c *Condition) Instance(labels series.Labels) *Instance { panic("policy: not built") }

// Joins reports whether a series of Sources[source] belongs to the instance
// with these labels: every label in On (default: all labels of the instance but
// `__name__` that the other has too) has the same value on both.
func (c *Condition) Joins(source int, instance, other series.Labels) bool {
	panic("policy: not built")
}

// Instance is the windows and scratch of one series under one condition. One
// goroutine at a time.
type Instance struct {
	Labels series.Labels
	Target string // first of the labels target, service, unit, instance, host
}

// Observe takes a point in. Points of one source and series come in time order;
// one at or before the newest is late: it is ignored and false is returned. A
// stale marker ends the series' part. No allocation once windows are built.
func (in *Instance) Observe(source int, ref series.Ref, p series.Point) bool {
	panic("policy: not built")
}

// Forget drops what a series that no longer exists left in a source.
func (in *Instance) Forget(source int, ref series.Ref) { panic("policy: not built") }

// Evaluate computes fire and clear at now (Unix ms; the newest sample's time
// when a sample woke it, the wall clock when the timer did). No allocation.
func (in *Instance) Evaluate(now int64, firing bool, firingFor time.Duration) Evaluation {
	panic("policy: not built")
}

// Evaluation is the outcome of one look.
type Evaluation struct {
	At      int64 // Unix ms of the look
	Newest  int64 // Unix ms of the newest sample of Sources[0], 0 if none yet
	Value   float64
	Fire    Truth
	Clear   Truth
	NoData  bool  // the series is silent for longer than stale_after
	StaleAt int64 // Unix ms at which NoData becomes true without a further sample; 0 never
}

// Explain is the expression tree of the last Evaluate with the value of every
// node and the samples used, for the audit record. It allocates.
func (in *Instance) Explain() Explanation { panic("policy: not built") }

// Explanation can be stored as JSON and re-evaluated offline.
type Explanation struct {
	At      int64            `json:"at"`
	Series  string           `json:"series"`
	Fire    *Node            `json:"fire"`
	Clear   *Node            `json:"clear,omitempty"`
	Windows []WindowEvidence `json:"windows,omitempty"`
}

// Node is one node of an explained expression.
type Node struct {
	Text  string  `json:"text"`  // source of this node
	Value string  `json:"value"` // true, false, unknown, or the number
	Args  []*Node `json:"args,omitempty"`
}

// WindowEvidence is what a window held.
type WindowEvidence struct {
	Call    string         `json:"call"` // avg("5m")
	Count   int            `json:"count"`
	First   int64          `json:"first,omitempty"` // Unix ms
	Last    int64          `json:"last,omitempty"`
	Samples []series.Point `json:"samples,omitempty"` // the newest, at most 20
}
