package apitest

import (
	"context"
	"slices"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Remediation reads one.
func (f *Fake) Remediation(_ context.Context, id int64) (remedy.Remediation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.find(id)
	if err != nil {
		return remedy.Remediation{}, err
	}
	return *x, nil
}

// Remediations lists newest first.
func (f *Fake) Remediations(_ context.Context, q engine.RemediationFilter) ([]remedy.Remediation, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []remedy.Remediation
	for i := len(f.actions) - 1; i >= 0; i-- {
		x := f.actions[i]
		switch {
		case q.Word != "" && x.State.Word() != q.Word,
			len(q.States) > 0 && !slices.Contains(q.States, x.State),
			q.Target != "" && x.Target != q.Target,
			q.Policy != "" && x.Policy != q.Policy,
			q.From != 0 && x.Created.Wall < q.From, q.To != 0 && x.Created.Wall >= q.To:
			continue
		}
		all = append(all, x)
	}
	total := len(all)
	if q.Before > 0 {
		all = slices.DeleteFunc(all, func(x remedy.Remediation) bool { return x.ID >= q.Before })
	}
	all = all[min(q.Offset, len(all)):]
	return all[:min(q.Limit, len(all))], total, nil
}

// Attempts lists the acts of one.
func (f *Fake) Attempts(_ context.Context, id int64) ([]remedy.Attempt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts[id], nil
}

// Audit lists records oldest first.
func (f *Fake) Audit(_ context.Context, after int64, object string, limit int) ([]audit.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []audit.Record
	for _, r := range f.records {
		if r.Seq > after && (object == "" || r.Object == object) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

// Catalogue is an entry of the local config and one of the repository.
func (f *Fake) Catalogue() []engine.ActionView {
	return []engine.ActionView{
		{Name: "note", Kind: "exec", From: "the local config"},
		{Name: "purge", Kind: "http", From: "acts.yaml:1:1 of commit 0123456789", Description: "empties the cache", Params: map[string]string{"site": "[a-z]+"}},
	}
}

// Prune removes the records up to one whose hash the caller knows.
func (f *Fake) Prune(_ context.Context, actor string, upto audit.Head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.records, func(r audit.Record) bool { return r.Seq == upto.Seq })
	switch {
	case i < 0 || i == len(f.records)-1:
		return fault.New(fault.Conflict, "audit records cannot be pruned up to %d", upto.Seq)
	case f.records[i].Head() != upto:
		return fault.New(fault.Precondition, "audit record %d does not have the hash %s", upto.Seq, upto.Hash)
	}
	f.did(actor, "audit.prune", "audit")
	f.records = slices.Clone(f.records[i+1:])
	return nil
}

// AuditVerify recomputes the chain. Where older records were pruned, the first one
// says where it begins.
func (f *Fake) AuditVerify(_ context.Context, progress func(n int64)) (audit.Head, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := audit.NewVerifier(audit.Head{})
	if len(f.records) > 0 && f.records[0].Seq > 1 {
		v = audit.LooseVerifier()
	}
	for _, r := range f.records {
		err := v.Next(r)
		if progress(v.Count()); err != nil {
			return v.Head(), err
		}
	}
	return v.Head(), nil
}

// AuditAbout lists the records of several objects.
func (f *Fake) AuditAbout(_ context.Context, objects []string, limit int) ([]audit.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []audit.Record
	for _, r := range f.records {
		if slices.Contains(objects, r.Object) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

// Counts counts by state.
func (f *Fake) Counts(_ context.Context, since clock.Stamp) (map[remedy.State]int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[remedy.State]int{}
	for _, x := range f.actions {
		if x.Created.Wall >= since.Wall {
			out[x.State]++
		}
	}
	return out, nil
}

// TokenByHash finds a token.
func (f *Fake) TokenByHash(_ context.Context, hash [32]byte) (engine.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tokens {
		if t.Hash == hash {
			return t, nil
		}
	}
	return engine.Token{}, fault.New(fault.NotFound, "no such token")
}

// Tokens lists them.
func (f *Fake) Tokens(context.Context) ([]engine.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tokens), nil
}

// PutToken keeps one.
func (f *Fake) PutToken(_ context.Context, actor string, t engine.Token) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = slices.DeleteFunc(f.tokens, func(o engine.Token) bool { return o.Name == t.Name })
	f.tokens = append(f.tokens, t)
	f.did(actor, "token.put", "token:"+t.Name)
	return nil
}

// DeleteToken forgets one.
func (f *Fake) DeleteToken(_ context.Context, actor, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.tokens)
	f.tokens = slices.DeleteFunc(f.tokens, func(t engine.Token) bool { return t.Name == name })
	if len(f.tokens) == n {
		return fault.New(fault.NotFound, "no token %s", name)
	}
	f.did(actor, "token.delete", "token:"+name)
	return nil
}

// Select finds what was pushed.
func (f *Fake) Select(_ context.Context, sel series.Selector, mint, maxt int64) (engine.Cursor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &cursor{at: -1}
	at := map[string]int{}
	for _, s := range f.Samples {
		if !sel.Matches(s.Labels) || s.Point.T <= mint || s.Point.T > maxt {
			continue
		}
		i, ok := at[s.Labels.String()]
		if !ok {
			i = len(c.found)
			at[s.Labels.String()] = i
			c.found = append(c.found, found{ls: s.Labels})
		}
		c.found[i].ps = append(c.found[i].ps, s.Point)
	}
	return c, nil
}

type found struct {
	ls series.Labels
	ps []series.Point
}

type cursor struct {
	found []found
	at    int
}

func (c *cursor) Next() bool            { c.at++; return c.at < len(c.found) }
func (c *cursor) Labels() series.Labels { return c.found[c.at].ls }
func (c *cursor) Ref() series.Ref       { return series.Ref(c.at + 1) }
func (c *cursor) Points(buf []series.Point) ([]series.Point, error) {
	return append(buf, c.found[c.at].ps...), nil
}
func (c *cursor) Err() error   { return nil }
func (c *cursor) Close() error { return nil }

// History is empty: nothing was ever done here.
func (f *Fake) History(context.Context, remedy.Query, clock.Stamp) (remedy.History, error) {
	return remedy.History{}, nil
}
