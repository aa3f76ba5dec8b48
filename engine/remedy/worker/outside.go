package worker

import "vigil/engine/remedy"

// untaken sees to one that waits for an outside remediator: its act is never ours,
// but it may not wait for ever, nor be offered while a gate holds it.
func (w *Worker) untaken(cs contexts, r remedy.Remediation) {
	var m remedy.Move
	f, err := w.Judge.Facts(cs.look, r, remedy.Spec{Subject: r.Subject})
	if err == nil {
		m, err = w.rules.Untaken(r, f, w.Clock())
	}
	if err == nil {
		err = w.Ledger.Apply(cs.look, r.Version, m)
	}
	if err != nil { // somebody may just have taken it
		w.failing("looking at what waits for an outside remediator", err)
		w.cool(r.ID)
		return
	}
	w.thaw(r.ID)
	m.Next.Version = r.Version + 1
	w.verdict(m)
	w.remember(m.Next)
	if m.Next.State == remedy.Failed {
		w.Log.Error("remediation failed: nobody took it", "remediation", r.ID, "policy", r.Policy, "target", r.Target, "reason", m.Next.Reason)
	}
}
