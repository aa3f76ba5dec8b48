package daemon

import (
	"context"
	"fmt"
	"time"
)

// ready says why the daemon cannot serve, and what of it is not as it should be.
func (h *house) ready() (reasons, degraded []string) {
	if !h.up.Load() {
		reasons = append(reasons, "starting")
	}
	if s := h.folder.State(); s.Err != nil {
		degraded = append(degraded, fmt.Sprintf("policy folders: %v", s.Err))
	}
	if err := h.reload.bad(); err != nil {
		degraded = append(degraded, fmt.Sprintf("config file: %v", err))
	}
	degraded = append(degraded, h.builtin.Trouble()...)
	if why := h.desired.Stalled(); why != "" {
		degraded = append(degraded, "desired state: "+why)
	}
	s := h.engine.Stats()
	if s.LagSeconds > 5 {
		degraded = append(degraded, fmt.Sprintf("evaluation is %.0f s behind", s.LagSeconds))
	}
	counted, cancel := context.WithCancel(context.Background())
	cancel() // the counts of rows are scans, and not asked for
	if l := h.ledger.Stats(counted); h.d.cfg.Ledger.BallastMB > 0 && !l.BallastThere {
		degraded = append(degraded, "the ledger has no space left on its disk: attempts, decisions and audit are written on what was kept aside, changes of policies and tokens are refused")
	}
	return append(reasons, h.storeReasons()...), append(degraded, h.storeDegraded()...)
}

// summary is one line for the service manager.
func (h *house) summary() string {
	s := h.engine.Stats()
	some := func(n int, one, many string) string {
		if n == 1 {
			many = one
		}
		return fmt.Sprint(n, " ", many)
	}
	return fmt.Sprintf("%s, %d firing, %s waiting", some(s.Policies, "policy", "policies"), s.Firing, some(s.Queue, "sample", "samples"))
}

// still is how long something may stand still before it counts as stuck.
const still = 60 * time.Second

// progress returns a function that says which of evaluator, writer and worker
// has stood still since it was last asked.
func (h *house) progress() func() string {
	var v vitals
	return func() string {
		s := h.engine.Stats()
		return v.stuck(h.d.clock().Boot, signs{
			evaluations: s.Evaluations, queue: s.Queue, lag: s.LagSeconds,
			answered: h.self.answered.Load(), beat: h.self.every, looked: h.worker.Stats().Looked.Boot,
		})
	}
}

// signs are what shows that the parts live.
type signs struct {
	evaluations uint64
	queue       int
	lag         float64       // seconds
	answered    int64         // boot ns at which the store last answered, with whatever
	beat        time.Duration // how often it is asked
	looked      int64         // boot ns at which the worker last looked
}

// vitals remembers the evaluations of the last look.
type vitals struct{ evaluations uint64 }

// stuck names a part that stands still, "" for none. An evaluator with nothing to
// do is not stuck, nor is a store that refuses: that of a full disk would be
// restarted for ever and be none the better for it.
func (v *vitals) stuck(bootNS int64, s signs) string {
	moved := s.evaluations != v.evaluations || s.queue == 0
	v.evaluations = s.evaluations
	since := func(at int64) time.Duration { return time.Duration(bootNS - at) }
	switch {
	case !moved && s.lag > still.Seconds():
		return "evaluator"
	case since(s.answered) > still+2*s.beat:
		return "writer"
	case since(s.looked) > still:
		return "worker"
	}
	return ""
}
