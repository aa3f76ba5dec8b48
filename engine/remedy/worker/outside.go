package worker

import (
	"vigil/engine/remedy"
)

// untaken sees to one that waits for an outside remediator: its act is never ours,
// but it may not wait for ever.
func (w *Worker) untaken(cs contexts, r remedy.Remediation) {
	m, err := w.rules.Untaken(r, w.Clock())
	if err == nil {
		err = w.Ledger.Apply(cs.look, r.Version, m)
	}
	if err != nil { // somebody may just have taken it
		w.failing("looking at what waits for an outside remediator", err)
		w.cool(r.ID)
		return
	}
	w.thaw(r.ID)
	if m.Next.State == remedy.Failed {
		w.Log.Error("remediation failed: nobody took it", "remediation", r.ID, "policy", r.Policy, "target", r.Target, "reason", m.Next.Reason)
	}
}
