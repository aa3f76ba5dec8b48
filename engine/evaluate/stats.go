package evaluate

import (
	"vigil/engine"
	"vigil/engine/policy"
)

// Stats counts; it takes each shard's lock for a moment.
func (e *Evaluator) Stats() engine.Stats {
	st := engine.Stats{
		Evaluations: e.count.Evaluations.Load(), Late: e.count.Late.Load(), Refused: e.count.Refused.Load(),
		Decisions: e.count.Decisions.Load(), CommitErrors: e.count.CommitErrors.Load(),
		Queue: int(e.track.Queued.Load()), QueueCap: e.cfg.Queue,
	}
	if at := e.track.Oldest(); !at.IsZero() {
		d, _ := e.clock().Sub(at)
		st.LagSeconds = d.Seconds()
	}
	for _, en := range *e.all.Load() {
		st.Policies++
		en.Shard.Mu.Lock()
		st.Instances += len(en.Insts)
		for _, x := range en.Insts {
			switch x.Row.State.State {
			case policy.StateFiring, policy.StateRecovering:
				st.Firing++
			case policy.StatePending:
				st.Pending++
			}
		}
		if en.Cond != nil {
			st.WindowBytes += int64(en.Cond.Bytes() * len(en.Insts))
		}
		en.Shard.Mu.Unlock()
	}
	e.index.Mu.RLock()
	st.UnnamedSelectors = e.index.Loose()
	e.index.Mu.RUnlock()
	return st
}
