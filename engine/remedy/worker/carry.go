package worker

import (
	"context"
	"errors"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/act"
	"vigil/engine/remedy/decide"
)

// carry takes one reserved remediation as far as it goes: to a verdict, or
// through the act to its end. A verification goes on beside.
func (w *Worker) carry(cs contexts, r remedy.Remediation) {
	handed := false
	defer func() {
		if !handed {
			w.release(r.ID)
		}
	}()
	if r.Source == remedy.FromExternal {
		w.untaken(cs, r)
		return
	}
	if r.State == remedy.Indeterminate {
		w.claim(cs, r, w.asClaim(ready{r: r, now: w.Clock()}))
		return
	}
	var p ready
	var err error
	if p.request, err = r.Request(); err != nil {
		w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.Reject(r, err.Error(), w.Clock()) })
		return
	}
	if p.action, p.spec, err = act.Prepare(w.Actions, &p.request); err != nil {
		w.notStarted(cs, r, nil, err)
		return
	}
	if err := w.ask(cs.look, &p, r); err != nil {
		w.failing("gathering facts", err)
		w.cool(r.ID)
		return
	}
	if m, ok := w.claim(cs, p.r, w.asClaim(p)); ok && m.Open != nil {
		handed = true
		w.actOn(cs, p, m)
	}
}

// ready is a remediation with all that its claim needs.
type ready struct {
	r       remedy.Remediation
	request remedy.Request
	action  remedy.Action
	spec    remedy.Spec
	facts   remedy.Facts
	now     clock.Stamp // of the claim
}

// ask gathers the facts about what is otherwise known.
func (w *Worker) ask(ctx context.Context, p *ready, r remedy.Remediation) (err error) {
	r.Subject = p.spec.Subject
	p.r = r
	if p.facts, err = w.Judge.Facts(ctx, r, p.spec); err != nil {
		return err
	}
	p.facts.Spec, p.now = p.spec, w.Clock()
	return nil
}

// asClaim is the claim of what is ready.
func (w *Worker) asClaim(p ready) remedy.Claim {
	a := decide.Case{Request: p.request, Facts: p.facts, Epoch: w.Ledger.Epoch(), Now: p.now}
	return remedy.Claim{
		ID: p.r.ID, Version: p.r.Version, Policy: p.r.Policy, Fingerprint: p.r.Fingerprint, FiringVersion: p.facts.FiringVersion,
		Query: w.rules.Lookback(&p.r, p.facts.Spec), Now: p.now,
		Decide: func(r remedy.Remediation, h remedy.History) remedy.Move { return w.rules.Decide(r, h, a) },
	}
}

// actOn acts on an attempt that is open on disk, and verifies. It releases the
// remediation.
func (w *Worker) actOn(cs contexts, p ready, m remedy.Move) {
	after, ok := w.act(cs, p.action, p.spec, m.Next, *m.Open)
	if ok && after.State == remedy.Verifying {
		w.verifyBeside(cs, after)
		return
	}
	w.release(m.Next.ID)
}

// claim asks the gates inside the ledger's transaction. False: nothing was
// written, and r is left for later.
func (w *Worker) claim(cs contexts, r remedy.Remediation, c remedy.Claim) (remedy.Move, bool) {
	m, err := w.Ledger.Claim(cs.look, c)
	if err != nil {
		w.failing("claiming", err)
		w.cool(r.ID)
		return m, false
	}
	w.thaw(r.ID)
	m.Next.Version = r.Version + 1
	w.verdict(m)
	w.loud(m)
	w.ended(m.Next)
	w.remember(m.Next)
	return m, true
}

// act runs the one act of an attempt that is on disk and records its end.
func (w *Worker) act(cs contexts, action remedy.Action, spec remedy.Spec, r remedy.Remediation, a remedy.Attempt) (remedy.Remediation, bool) {
	_, lasts := action.(remedy.Rejoiner)
	ctx, cancel := cs.act(lasts || decide.Brief(spec), a.Request.Timeout)
	defer cancel()
	w.stoppable(r.ID, cancel)
	if w.Capture != nil && w.rules.Captures(&r, spec) {
		a.Capture = w.capture(ctx, a.Subject)
	}
	began := w.Clock()
	res, err := act.Do(ctx, action, a.Request)
	w.stoppable(r.ID, nil)
	cut := decide.Brief(spec) && !res.OK && errors.Is(context.Cause(ctx), remedy.ErrLeft)
	if cut || errors.Is(err, remedy.ErrLeft) { // it is counted by whoever sees its end
		w.Log.Info("an act is left to the next start", "attempt", a.ID(), "action", a.Action)
		return r, false
	}
	w.acted(a, res, err, began)
	if err != nil {
		return w.notStarted(cs, r, &a, err)
	}
	j := decide.Jitter(w.Jitter())
	now := w.Clock()
	return w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.Ended(r, a, res, now, j) })
}

// capture takes evidence within its time, whatever the capturer does.
func (w *Worker) capture(ctx context.Context, subject string) []byte {
	ctx, cancel := context.WithTimeout(ctx, captureTime)
	defer cancel()
	return w.Capture.Capture(ctx, subject)
}

func (w *Worker) notStarted(cs contexts, r remedy.Remediation, a *remedy.Attempt, err error) (remedy.Remediation, bool) {
	w.Log.Warn("action could not be started", "remediation", r.ID, "policy", r.Policy, "error", err)
	j, now := decide.Jitter(w.Jitter()), w.Clock()
	out, told := w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.NotStarted(r, a, err.Error(), now, j) })
	if told { // else another look at the same one has told it
		w.mu.Lock()
		w.stats.StartFailed++
		w.mu.Unlock()
	}
	return out, told
}

// finish writes what build makes of r, again and again while the ledger cannot
// be written: an act that was done must not be forgotten. When somebody moved r
// in the meantime, build is asked once more with the row as it is now.
func (w *Worker) finish(cs contexts, r remedy.Remediation, build func(remedy.Remediation) (remedy.Move, error)) (remedy.Remediation, bool) {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		m, err := build(r)
		if err != nil {
			w.failing("finishing", err)
			return r, false
		}
		err = w.Ledger.Apply(cs.writes, r.Version, m)
		if err == nil {
			m.Next.Version = r.Version + 1
			w.verdict(m)
			w.loud(m)
			w.ended(m.Next)
			return m.Next, true
		}
		w.failing("recording an end", err)
		switch fault.KindOf(err) {
		case fault.NotFound, fault.Cancelled:
			return r, false
		case fault.Conflict:
			now, err := w.Ledger.Remediation(cs.writes, r.ID)
			if err == nil && now.Version == r.Version {
				return r, false // the row as it is refuses the move: somebody closed the attempt
			}
			if err == nil {
				r = now
			}
		}
		if !sleep(cs.writes, pause) {
			return r, false
		}
	}
}

// sleep waits; false: ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// verdict counts what the gates said.
func (w *Worker) verdict(m remedy.Move) {
	if m.Verdict.Answer == remedy.Admit && m.Open == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	count(&w.stats.Verdicts, [2]string{m.Verdict.Gate, m.Verdict.Answer.String()})
}

func (w *Worker) acted(a remedy.Attempt, res remedy.Result, err error, began clock.Stamp) {
	took, _ := w.Clock().Sub(began)
	w.mu.Lock()
	defer w.mu.Unlock()
	count(&w.stats.Acts, [2]string{a.Kind, act.Word(res, err)})
	w.stats.ActSeconds += took.Seconds()
}

// ended tells whoever keeps the desired state.
func (w *Worker) ended(r remedy.Remediation) {
	if w.Ended != nil && r.Source == remedy.FromReconcile && r.State.Final() {
		w.Ended(r)
	}
}

// loud logs what a person should hear of.
func (w *Worker) loud(m remedy.Move) {
	r := &m.Next
	switch r.State {
	case remedy.GaveUp:
		if len(m.Audit) > 0 {
			w.Log.Error("remediation gave up", "remediation", r.ID, "policy", r.Policy, "target", r.Target, "reason", r.Reason, "retry", r.Until.Time())
		}
	case remedy.Indeterminate:
		w.Log.Error("remediation is indeterminate", "remediation", r.ID, "policy", r.Policy, "target", r.Target, "reason", r.Reason)
	case remedy.Running:
		if m.Open != nil {
			w.Log.Info("remediation acts", "remediation", r.ID, "policy", r.Policy, "attempt", m.Open.ID(), "action", m.Open.Action, "subject", m.Open.Subject)
		}
	}
}
