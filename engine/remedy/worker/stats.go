package worker

import (
	"maps"

	"vigil/engine/clock"
)

// Stats is the worker seen from outside. Counts are since the start.
type Stats struct {
	Workers, Busy int // places for acts; remediations at work on, verifications included
	Verifying     int
	Due           int         // found due at the last look, at most a batch
	Oldest        clock.Stamp // when the oldest of them was made; zero: none
	Looked        clock.Stamp // the last look at the ledger, seconds old while the worker lives

	Verdicts    map[[2]string]uint64 // gate (empty when all admitted) and answer
	Acts        map[[2]string]uint64 // kind and result: ok, failed, timeout, unseen, start_failed
	Verified    map[string]uint64    // ok, failed, fell, unasked
	ActSeconds  float64
	StartFailed uint64 // could not be started, before or after the claim
	Errors      uint64 // of the ledger and the judge, conflicts included
}

// Stats is a copy; concurrent.
func (w *Worker) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Busy, s.Verifying = len(w.busy), len(w.slots)
	s.Verdicts, s.Acts, s.Verified = maps.Clone(s.Verdicts), maps.Clone(s.Acts), maps.Clone(s.Verified)
	return s
}

func count[K comparable](m *map[K]uint64, k K) {
	if *m == nil {
		*m = map[K]uint64{}
	}
	(*m)[k]++
}
