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
	return fmt.Sprintf("%d policies, %d firing, %d samples waiting", s.Policies, s.Firing, s.Queue)
}

// still is how long something may stand still before it counts as stuck.
const still = 60 * time.Second

// progress returns a function that says which of evaluator, writer and worker
// has stood still since it was last asked.
func (h *house) progress() func() string {
	var evaluated uint64
	return func() string {
		now := h.d.clock()
		s := h.engine.Stats()
		moved := s.Evaluations != evaluated || s.Queue == 0
		evaluated = s.Evaluations
		since := func(bootNS int64) time.Duration { return time.Duration(now.Boot - bootNS) }
		switch {
		case !moved && s.LagSeconds > still.Seconds():
			return "evaluator"
		case since(h.self.stored.Load()) > still+2*h.self.every:
			return "writer"
		case since(h.worker.Stats().Looked.Boot) > still:
			return "worker"
		}
		return ""
	}
}
