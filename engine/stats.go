package engine

import (
	"sync/atomic"

	"vigil/engine/policy"
)

type counters struct {
	evaluations, late, refused, decisions, commitErrors atomic.Uint64
}

// Stats counts; it takes each shard's lock for a moment.
func (e *Engine) Stats() Stats {
	st := Stats{
		Evaluations: e.count.evaluations.Load(), Late: e.count.late.Load(), Refused: e.count.refused.Load(),
		Decisions: e.count.decisions.Load(), CommitErrors: e.count.commitErrors.Load(),
		Queue: int(e.track.queued.Load()), QueueCap: e.cfg.Queue,
	}
	if at := e.track.oldest(); !at.IsZero() {
		d, _ := e.clock().Sub(at)
		st.LagSeconds = d.Seconds()
	}
	for _, en := range *e.reg.all.Load() {
		st.Policies++
		en.shard.mu.Lock()
		st.Instances += len(en.insts)
		for _, x := range en.insts {
			switch x.row.State.State {
			case policy.StateFiring, policy.StateRecovering:
				st.Firing++
			case policy.StatePending:
				st.Pending++
			}
		}
		if en.cond != nil {
			st.WindowBytes += int64(en.cond.Bytes() * len(en.insts))
		}
		en.shard.mu.Unlock()
	}
	e.reg.mu.RLock()
	st.UnnamedSelectors = len(e.reg.loose)
	e.reg.mu.RUnlock()
	return st
}
