package evaluate

import (
	"context"
	"encoding/json"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/shard"
)

// Change is an edit of the policies: what is written down, and how memory
// follows once it is.
type Change struct {
	Decision engine.Decision // policies put and deleted, with their audit records
	Put      []shard.Policy  // compiled; Version is the one its row will have
	Drop     []string
}

// How says what becomes of the firings when a policy is put over another.
type How int

// The ways.
const (
	Fresh  How = iota // there was none, or it could not be evaluated
	Edited            // the condition stays: so do instances and windows
	Kept              // match and fire stay: firings go on, windows are refilled
	Closed            // match or fire changed: firings are closed
)

// HowPut compares what is there with what is to be put.
func (e *Evaluator) HowPut(p shard.Policy) How {
	en := e.entry(p.Doc.Name)
	if en == nil || en.Cond == nil {
		return Fresh
	}
	a, b := en.Cond.Spec, p.Doc.Condition
	switch {
	case a.Match != b.Match || a.Fire != b.Fire || a.Target != b.Target:
		return Closed
	case sameJSON(a, b):
		return Edited
	}
	return Kept
}

// Apply commits a change and then makes memory follow. It blocks on disk and on
// the refill of new windows. A Conflict means that a row changed meanwhile and
// nothing was done.
func (e *Evaluator) Apply(ctx context.Context, c Change) error {
	hows := make([]How, len(c.Put))
	for i, p := range c.Put {
		hows[i] = e.HowPut(p)
	}
	written := c.Decision
	for try := 0; ; try++ {
		c.Decision.Firings = written.Firings
		c.Decision.Audit = written.Audit
		for i, p := range c.Put {
			if hows[i] == Closed {
				e.close(&c.Decision, p.Doc.Name, "the policy's match or fire was edited")
			}
		}
		for _, name := range c.Drop {
			e.close(&c.Decision, name, "the policy is gone")
		}
		_, err := e.journal.Commit(ctx, &c.Decision)
		if err == nil {
			break
		}
		// A shard may have written a firing in between: take its version again.
		if try >= 5 || fault.KindOf(err) != fault.Conflict || len(c.Decision.Firings) == 0 {
			return err
		}
	}
	var fill []*shard.Entry
	e.index.Mu.Lock()
	for _, name := range c.Drop {
		if en := e.entries[name]; en != nil {
			e.leave(en)
		}
	}
	for i, p := range c.Put {
		old := e.entries[p.Doc.Name]
		if hows[i] == Edited {
			p.Cond = old.Cond
			old.Shard.Mu.Lock()
			old.P = p
			old.Shard.Mu.Unlock()
			continue
		}
		en := e.newEntry(p)
		if old != nil {
			e.leave(old)
			if hows[i] == Kept {
				en.Inherit = old
			}
		}
		e.enter(en)
		fill = append(fill, en)
	}
	e.index.Mu.Unlock()
	e.link()
	for _, en := range fill {
		if err := e.refill(ctx, en); err != nil {
			e.log.Warn("windows not refilled, they fill as samples come", "policy", en.Name, "error", err)
			e.warm(en)
		}
	}
	return nil
}

// close adds the end of a policy's stored firings to a decision.
func (e *Evaluator) close(d *engine.Decision, name, reason string) {
	en := e.entry(name)
	if en == nil {
		return
	}
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	var o shard.Outcome
	for _, x := range en.Insts {
		if x.Row.Version > 0 {
			row := x.Row
			row.Closed = reason
			o.Closing = append(o.Closing, row)
		}
	}
	c := shard.Decide(o, 0, d.At)
	d.Firings = append(d.Firings[:len(d.Firings):len(d.Firings)], c.Firings...)
	d.Audit = append(d.Audit[:len(d.Audit):len(d.Audit)], c.Audit...)
}

// Listen begins to listen on the shard of a policy's name; stop ends it.
func (e *Evaluator) Listen(name string, cond *policy.Condition, l shard.Listener) (stop func()) {
	p := shard.Policy{Cond: cond}
	p.Doc.Name = name
	en := e.newEntry(p)
	en.Listen = &l
	e.index.Mu.Lock()
	e.enter(en)
	e.index.Mu.Unlock()
	// Nothing older than After may count: there is nothing to refill.
	e.warm(en)
	return func() {
		e.index.Mu.Lock()
		defer e.index.Mu.Unlock()
		e.leave(en)
	}
}

// sameJSON compares what two values would be written as.
func sameJSON(a, b any) bool {
	x, errx := json.Marshal(a)
	y, erry := json.Marshal(b)
	return errx == nil && erry == nil && string(x) == string(y)
}
