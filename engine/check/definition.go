package check

import (
	"time"

	"vigil/engine/check/procs"
	"vigil/engine/check/schedule"
	"vigil/engine/document"
	"vigil/engine/series"
)

// Definition is a check that may be run: who declared it, when it runs, and what
// measures. It is made by FromDocument and immutable; two with the same Digest
// measure the same thing in the same way.
type Definition struct {
	Name   string
	Kind   string
	Owner  document.Owner
	Place  string
	Digest uint64 // of everything that was written

	check      Check
	schedule   schedule.Schedule
	timeout    time.Duration
	retries    int
	grace      time.Duration
	startedBy  *procs.Match // nil: the host's boot is what grace counts from
	spans      []schedule.Span
	labels     []series.Label
	keepOnFail bool          // on_error: keep
	warm       time.Duration // a second round this long after the first, for rates
}
