package conform_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func (s *store) Remediation(_ context.Context, id int64) (remedy.Remediation, error) {
	m, ok := s.read().remediations[id]
	if !ok {
		return m, errNone
	}
	return m, nil
}

func (s *store) Attempts(_ context.Context, id int64) (out []remedy.Attempt, err error) {
	r := s.read()
	if _, ok := r.remediations[id]; !ok {
		return nil, errNone
	}
	for _, a := range r.attempts {
		if a.Remediation == id {
			out = append(out, a.Attempt)
		}
	}
	return out, nil
}

func (s *store) Unfinished(context.Context) (as []remedy.Attempt, rs []remedy.Remediation, err error) {
	r, open := s.read(), map[int64]bool{}
	for _, a := range r.attempts {
		if a.Finished.IsZero() {
			as, open[a.Remediation] = append(as, a.Attempt), true
		}
	}
	return as, r.find(func(m remedy.Remediation) bool {
		return open[m.ID] || (m.State == remedy.Running || m.State == remedy.Verifying) && s.bug != "what is verified counts as finished"
	}), nil
}

func (s *store) Remediations(_ context.Context, f engine.RemediationFilter) ([]remedy.Remediation, int, error) {
	all := s.read().find(func(m remedy.Remediation) bool {
		return (len(f.States) == 0 || slices.Contains(f.States, m.State)) && (f.Word == "" || m.State.Word() == f.Word) &&
			(f.Target == "" || m.Target == f.Target) && (f.Policy == "" || m.Policy == f.Policy) && (f.Firing == nil || m.Fingerprint == *f.Firing) &&
			(f.From == 0 || m.Created.Wall >= f.From) && (f.To == 0 || m.Created.Wall < f.To)
	})
	slices.Reverse(all)
	out := slices.DeleteFunc(slices.Clone(all), func(m remedy.Remediation) bool { return f.Before > 0 && m.ID >= f.Before })
	if s.bug == "the cursor is a number of rows" && f.Before > 0 {
		out = all[min(len(all), max(0, 11-int(f.Before))):]
	}
	out = out[min(f.Offset, len(out)):]
	if f.Limit > 0 {
		out = out[:min(f.Limit, len(out))]
	}
	total := len(all)
	if s.bug == "the total is that of the page" {
		total = len(out)
	}
	return out, total, nil
}

func (s *store) Counts(_ context.Context, since clock.Stamp) (map[remedy.State]int, error) {
	out := map[remedy.State]int{}
	for _, m := range s.read().remediations {
		if m.Created.Wall >= since.Wall {
			out[m.State]++
		}
	}
	if s.bug == "what was counted once is counted" && since.IsZero() {
		if s.counts == nil {
			s.counts = maps.Clone(out)
		}
		out = maps.Clone(s.counts)
	}
	return out, nil
}

func (s *store) History(_ context.Context, q remedy.Query, now clock.Stamp) (remedy.History, error) {
	return s.read().history(q, now, s.bug), nil
}

func (s *store) Due(_ context.Context, now clock.Stamp, n int) (due []remedy.Remediation, next clock.Stamp, err error) {
	wait := func(m remedy.Remediation) int64 {
		if m.Until.BootID == now.BootID {
			return m.Until.Boot - now.Boot
		}
		return 0 // of an earlier boot: looked at
	}
	first := int64(0)
	due = s.read().find(func(m remedy.Remediation) bool {
		switch m.State {
		case remedy.Queued, remedy.Held, remedy.GaveUp, remedy.Indeterminate:
		default:
			return false
		}
		if m.Until.IsZero() {
			return m.State == remedy.Queued
		}
		w := wait(m)
		if w > 0 && (first == 0 || w < first) {
			first = w
		}
		return w <= 0
	})
	rank := func(m remedy.Remediation) int {
		switch {
		case m.Source == remedy.FromExternal:
			return 3
		case s.bug == "whoever came first is due first":
			return 0
		}
		return map[string]int{"high": 0, "critical": 0, "low": 2}[m.Priority] + map[string]int{"": 1, "medium": 1}[m.Priority]
	}
	slices.SortStableFunc(due, func(a, b remedy.Remediation) int { return cmp.Compare(rank(a), rank(b)) })
	if first > 0 {
		next = clock.Stamp{Wall: now.Wall + (first+999)/1000, Boot: now.Boot + first, BootID: now.BootID}
	}
	if len(due) > n {
		due, next = due[:n], now
	}
	return due, next, nil
}

func (s *store) Audit(_ context.Context, after int64, object string, limit int) ([]audit.Record, error) {
	return s.records(limit, func(r audit.Record) bool {
		return r.Seq > after && (object == "" || r.Object == object || s.bug == "an object is found by its beginning" && strings.HasPrefix(r.Object, object[:6]))
	}), nil
}

func (s *store) AuditAbout(_ context.Context, objects []string, limit int) ([]audit.Record, error) {
	if len(objects) > 500 {
		return nil, fault.New(fault.TooLarge, "at most 500 objects at once")
	}
	return s.records(limit, func(r audit.Record) bool { return r.Object != "" && slices.Contains(objects, r.Object) }), nil
}

func (s *store) records(limit int, pass func(audit.Record) bool) (out []audit.Record) {
	for _, r := range s.read().audit {
		if pass(r) && (limit <= 0 || len(out) < limit) {
			out = append(out, r)
		}
	}
	return out
}

func (s *store) AuditVerify(context.Context, func(int64)) (audit.Head, error) {
	r := s.read()
	v := audit.NewVerifier(r.pruned)
	for _, x := range r.audit {
		if err := v.Next(x); err != nil {
			return v.Head(), err
		}
	}
	return v.Head(), v.End(r.head())
}

func (s *store) Export(_ context.Context, from int64, w io.Writer) (last audit.Head, err error) {
	for _, x := range s.read().audit {
		if x.Seq >= from {
			_, e := w.Write(audit.MarshalLine(x))
			last, err = x.Head(), errors.Join(err, e)
		}
	}
	return last, err
}

func (s *store) Prune(ctx context.Context, actor string, upto audit.Head) error {
	return s.write(ctx, func(t *tx) error {
		if upto.Seq <= t.pruned.Seq || upto.Seq >= t.head().Seq {
			return conflict("record %d cannot be pruned", upto.Seq)
		}
		i := upto.Seq - t.pruned.Seq - 1
		if t.audit[i].Head() != upto && t.bug != "whoever prunes needs no hash" {
			return fault.New(fault.Precondition, "record %d has another hash", upto.Seq)
		}
		t.chain(audit.Record{At: s.now(), Actor: actor, Verb: "audit.prune", Object: "audit", Reason: upto.Hash.String()})
		t.pruned, t.audit = t.audit[i].Head(), slices.Clone(t.audit[i+1:])
		return nil
	})
}

func (s *store) Tokens(context.Context) ([]engine.Token, error) {
	return listed(s.read().tokens, func(engine.Token) bool { return true }), nil
}

func (s *store) TokenByHash(_ context.Context, hash [32]byte) (engine.Token, error) {
	for _, k := range s.read().tokens {
		if k.Hash == hash {
			return k, nil
		}
	}
	return engine.Token{}, errNone
}

func (s *store) PutToken(ctx context.Context, actor string, k engine.Token) error {
	return s.write(ctx, func(t *tx) error {
		for _, o := range t.tokens {
			if o.Hash == k.Hash && o.Name != k.Name {
				return conflict("another token has this secret")
			}
		}
		if !slices.Contains([]string{"viewer", "pusher", "operator", "admin"}, k.Role) {
			return conflict("there is no role %s", k.Role)
		}
		if t.tokens[k.Name] = k; t.bug != "a token is made in silence" {
			t.chain(audit.Record{At: s.now(), Actor: actor, Verb: "token.put", Object: "token:" + k.Name})
		}
		return nil
	})
}

func (s *store) DeleteToken(ctx context.Context, actor, name string) error {
	return s.write(ctx, func(t *tx) error {
		if _, ok := t.tokens[name]; !ok {
			return errNone
		}
		delete(t.tokens, name)
		t.chain(audit.Record{At: s.now(), Actor: actor, Verb: "token.delete", Object: "token:" + name})
		return nil
	})
}

func (s *store) Replays(context.Context) ([]engine.Replay, error) {
	return slices.Clone(s.read().replays), nil
}

func (s *store) PutReplay(ctx context.Context, r engine.Replay, forget []string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.within("an answer", 128<<10, r); err != nil {
			return err
		}
		if t.bug != "answers are never forgotten" {
			t.forget(forget)
		}
		if i := slices.IndexFunc(t.replays, func(o engine.Replay) bool { return o.Key == r.Key }); i >= 0 {
			t.replays[i] = r
		} else {
			t.replays = append(t.replays, r)
		}
		return nil
	})
}

func (t *tx) forget(keys []string) {
	t.replays = slices.DeleteFunc(t.replays, func(r engine.Replay) bool { return slices.Contains(keys, r.Key) })
}

func (s *store) ForgetReplays(ctx context.Context, keys []string) error {
	return s.write(ctx, func(t *tx) error { t.forget(keys); return nil })
}
