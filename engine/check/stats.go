package check

import (
	"cmp"
	"slices"
	"time"
	"unicode/utf8"

	"vigil/engine/check/host"
	"vigil/engine/check/probe"
	"vigil/engine/clock"
	"vigil/engine/document"
)

// State is how a check stands.
type State string

// The states of a check.
const (
	StatePending  State = "pending"  // not measured yet
	StateUp       State = "up"       // as it was asked to be
	StateDown     State = "down"     // measured, and not as it was asked to be
	StateError    State = "error"    // could not be measured
	StateGrace    State = "grace"    // not up, but its process is young
	StateInactive State = "inactive" // outside its windows
)

// Stats is the room seen from outside.
type Stats struct {
	Checks           int
	InFlight         int
	StuckFilesystems int
	Runs, Failures   uint64 // rounds; rounds that could not measure
	Overruns         uint64 // ticks that found the round before still running
	Samples, Refused uint64 // taken by the sink; not taken
	SinkErrors       uint64 // batches lost
	Each             []CheckStats
}

// CheckStats is one check as it stands.
type CheckStats struct {
	Name, Kind  string
	Owner       document.Owner
	Place       string
	State       State
	Reason      string // why it is not up
	Text        string // what it saw last, where it has text
	LastRun     clock.Stamp
	LastSuccess clock.Stamp
	Took        time.Duration
	Next        time.Duration // until it is due
	Series      int
	Runs        uint64
	Failures    uint64
	Overruns    uint64
}

// Stats does not block on a check that runs. Each is sorted by name.
func (r *Runner) Stats() Stats {
	s := Stats{
		Runs: r.runs.Load(), Failures: r.failures.Load(), Overruns: r.overruns.Load(),
		Samples: r.samples.Load(), Refused: r.refused.Load(), SinkErrors: r.sinkErrors.Load(),
	}
	if r.host != nil {
		s.StuckFilesystems = r.host.Stuck()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	s.Checks, s.InFlight = len(r.jobs), r.flying
	for _, j := range r.jobs {
		c := CheckStats{
			Name: j.def.Name, Kind: j.def.Kind, Owner: j.def.Owner, Place: j.def.Place,
			State: j.state, Reason: j.reason, LastRun: j.when, LastSuccess: j.wentWell,
			Took: j.took, Next: max(0, j.due.Sub(now)), Series: j.told,
			Runs: j.runs, Failures: j.failures, Overruns: j.overruns,
		}
		if p, ok := j.def.check.(probe.Printer); ok {
			c.Text = p.Text()
		}
		s.Each = append(s.Each, c)
	}
	slices.SortFunc(s.Each, func(a, b CheckStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// Names is every metric name that vigild's own measuring can emit, scraped ones
// aside: what may not be pushed. Scraped series always carry job and instance.
// The original's gauges (cpu_percent and its kin) are left out, since its clients
// push them too: ours carry origin="host".
func Names() []string { return Defaults().Names() }

// Names is Names under this configuration: where the host is not measured, its
// names are free.
func (c Config) Names() (out []string) {
	if c.Host.Enabled {
		for _, n := range host.Names() {
			if !slices.Contains(original, n) {
				out = append(out, n)
			}
		}
	}
	out = append(out, nameUp, nameTook, nameErrors, nameAge, nameGrace)
	return append(out, probe.Names()...)
}

// original is the original's gauges.
var original = []string{"cpu_percent", "cpu_usage", "memory_percent", "memory_usage", "disk_free_percent", "disk_usage"}

// maxReason bounds the text kept of an error.
const maxReason = 512

func clip(s string) string {
	if len(s) <= maxReason {
		return s
	}
	s = s[:maxReason]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "..."
}
