package conform_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

func busy(v engine.Revision) bool { return v.State.Open() && v.State != engine.RevisionSeen }

// want writes what a decision says of desired state: what ends before what begins.
func (t *tx) want(d *engine.DesiredDecision) error {
	if d == nil {
		return nil
	}
	for _, begins := range []bool{false, true} {
		for _, v := range d.Revisions {
			if busy(v) == begins {
				if err := t.putRevision(v); err != nil {
					return err
				}
			}
		}
		for _, f := range d.Drifts {
			if f.Ended.IsZero() == begins {
				if err := t.putDrift(f); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range d.Suspends {
		if err := t.within("a suspend", 64<<10, s); err != nil {
			return err
		}
		was, ok := t.suspends[s.ID]
		if s.ID == "" || s.Selector == "" || s.Reason == "" || s.From.IsZero() || s.Until.IsZero() || ok && (was.Selector != s.Selector || !was.Ended.IsZero() && s.Ended.IsZero()) {
			return conflict("suspend %s cannot be written", s.ID)
		}
		t.suspends[s.ID] = s
	}
	for _, ref := range d.Forgotten {
		delete(t.resources, ref)
	}
	for _, v := range d.Resources {
		if err := t.within("a resource", small, v); err != nil {
			return err
		}
		t.resources[v.Key.Ref()] = v
	}
	for _, u := range d.Undo {
		if err := t.within("a step", small, u); err != nil {
			return err
		}
		_, known := t.revisions[u.Revision]
		was, ok := t.undo[u.N]
		if u.N < 1 || !known || u.Action == "" && u.Final == "" || ok && (was.Revision != u.Revision || was.Ref != u.Ref) {
			return conflict("step %d of the undo journal cannot be written", u.N)
		}
		t.undo[u.N], t.lastUndo = u, max(t.lastUndo, u.N)
	}
	maps.DeleteFunc(t.undo, func(n int64, _ engine.Undo) bool {
		return slices.Contains(d.Undone, n) || n <= d.Settled && (n < d.Settled || t.bug != "the last settled step stays")
	})
	if d.Checks != nil {
		if t.bug != "checks are added to those that were" {
			t.checks = nil
		}
		for _, k := range *d.Checks {
			if slices.ContainsFunc(t.checks, func(o engine.CheckRow) bool { return o.Name == k.Name }) {
				return conflict("check %s cannot be written twice", k.Name)
			}
			t.checks = append(t.checks, k)
		}
		slices.SortFunc(t.checks, func(a, b engine.CheckRow) int { return strings.Compare(a.Name, b.Name) })
	}
	if d.Entries != nil {
		t.entries = nil
		for _, k := range *d.Entries {
			if slices.ContainsFunc(t.entries, func(o engine.EntryRow) bool { return o.Name == k.Name }) && t.bug != "two entries have one name" {
				return conflict("entry %s cannot be written twice", k.Name)
			}
			t.entries = append(t.entries, k)
		}
		slices.SortFunc(t.entries, func(a, b engine.EntryRow) int { return strings.Compare(a.Name, b.Name) })
	}
	return nil
}

func (t *tx) putRevision(v engine.Revision) error {
	if err := t.within("a revision", 64<<10, v); err != nil {
		return err
	}
	states := []engine.RevisionState{engine.RevisionSeen, engine.RevisionApplying, engine.RevisionChecking, engine.RevisionUndoing,
		engine.RevisionGood, engine.RevisionBad, engine.RevisionReplaced, engine.RevisionRefused}
	was, ok := t.revisions[v.N]
	bad := v.N < 1 || v.Commit == "" || v.Return < 0 || v.Return >= v.N || !slices.Contains(states, v.State) || v.State.Open() && !v.Ended.IsZero() ||
		ok && (was.Commit != v.Commit || was.Tree != v.Tree || was.Return != v.Return || !was.State.Open() && v.State.Open())
	for n, o := range t.revisions {
		bad = bad || n != v.N && busy(o) && busy(v) && t.bug != "two revisions are under way"
	}
	if bad {
		return conflict("revision %d cannot be %s", v.N, v.State)
	}
	t.revisions[v.N], t.lastRevision = v, max(t.lastRevision, v.N)
	return nil
}

func (t *tx) putDrift(f engine.Drift) error {
	if err := t.within("a drift", small, f); err != nil {
		return err
	}
	was, ok := t.drifts[f.ID]
	bad := f.ID < 1 || f.Class == reconcile.Class("") || f.Ended.IsZero() != (f.How == "") || ok && (was.Ref != f.Ref || was.Field != f.Field || !was.Ended.IsZero() && f.Ended.IsZero())
	for id, o := range t.drifts {
		bad = bad || id != f.ID && o.Ref == f.Ref && o.Field == f.Field && o.Ended.IsZero() && f.Ended.IsZero()
	}
	if bad {
		return conflict("drift %d of %s cannot be written", f.ID, f.Ref)
	}
	t.drifts[f.ID], t.lastDrift = f, max(t.lastDrift, f.ID)
	return nil
}

// listed is what passes, by key.
func listed[K cmp.Ordered, V any](m map[K]V, pass func(V) bool) (out []V) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if pass(m[k]) {
			out = append(out, m[k])
		}
	}
	return out
}

func (s *store) Desired(context.Context) (*engine.DesiredSnapshot, error) {
	r := s.read()
	from := int64(0)
	for n, v := range r.revisions {
		if v.State == engine.RevisionGood && (v.Return == 0 || s.bug == "a return counts as landed") {
			from = max(from, n)
		}
	}
	out := &engine.DesiredSnapshot{
		Revisions:    listed(r.revisions, func(v engine.Revision) bool { return v.N >= from || v.State.Open() }),
		Resources:    listed(r.resources, func(engine.Resource) bool { return true }),
		Drifts:       listed(r.drifts, func(f engine.Drift) bool { return f.Ended.IsZero() }),
		Suspends:     listed(r.suspends, func(s engine.Suspend) bool { return s.Ended.IsZero() }),
		Undo:         listed(r.undo, func(engine.Undo) bool { return true }),
		Checks:       slices.Clone(r.checks),
		Entries:      slices.Clone(r.entries),
		Active:       r.find(func(m remedy.Remediation) bool { return m.Source == remedy.FromReconcile && !m.State.Final() }),
		LastRevision: r.lastRevision, LastDrift: r.lastDrift, LastUndo: r.lastUndo,
	}
	if s.bug == "numbers come back" && len(out.Undo) == 0 {
		out.LastUndo = 0
	}
	return out, nil
}

func (s *store) Entries(context.Context) ([]engine.EntryRow, error) {
	return slices.Clone(s.read().entries), nil
}

// page is the newest of those before a key, at most limit.
func page[V any](all []V, limit int) []V {
	slices.Reverse(all)
	if limit <= 0 {
		return all
	}
	return all[:min(limit, len(all))]
}

func (s *store) Revisions(_ context.Context, before int64, limit int) ([]engine.Revision, error) {
	return page(listed(s.read().revisions, func(v engine.Revision) bool { return before == 0 || v.N < before }), limit), nil
}

func (s *store) Drifts(_ context.Context, before int64, ref string, standing bool, limit int) ([]engine.Drift, error) {
	return page(listed(s.read().drifts, func(f engine.Drift) bool {
		return (before == 0 || f.ID < before) && (ref == "" || f.Ref == ref) && (!standing || f.Ended.IsZero() || s.bug == "what ended stands")
	}), limit), nil
}

func (d *desk) Trim(st stand.Store, k stand.Keep) error {
	return st.(*store).write(context.Background(), func(t *tx) error {
		waits := func(m remedy.Remediation) bool {
			return !m.State.Final() || (m.State == remedy.GaveUp || m.State == remedy.Indeterminate) && t.bug != "what needs a person is trimmed"
		}
		open := func(id int64) bool {
			return slices.ContainsFunc(t.attempts, func(a done) bool { return a.Remediation == id && a.Finished.IsZero() })
		}
		maps.DeleteFunc(t.remediations, func(id int64, m remedy.Remediation) bool {
			return id <= t.last-int64(k.Finished) && !waits(m) && !open(id)
		})
		t.attempts = slices.DeleteFunc(t.attempts, func(a done) bool { _, ok := t.remediations[a.Remediation]; return !ok })
		newest, landed, top := int64(0), int64(0), int64(0)
		for n, v := range t.revisions {
			if top = max(top, n); v.State == engine.RevisionGood {
				if newest = max(newest, n); v.Return == 0 {
					landed = max(landed, n)
				}
			}
		}
		named := map[int64]bool{newest: true, landed: true}
		for _, u := range t.undo {
			named[u.Revision] = true
		}
		maps.DeleteFunc(t.revisions, func(n int64, v engine.Revision) bool { return n <= top-k.Revisions && !v.State.Open() && !named[n] })
		top = slices.Max(append(slices.Collect(maps.Keys(t.drifts)), 0))
		maps.DeleteFunc(t.drifts, func(n int64, f engine.Drift) bool { return n <= top-k.Drifts && !f.Ended.IsZero() })
		over := listed(t.suspends, func(s engine.Suspend) bool { return !s.Ended.IsZero() })
		for _, s := range over[:max(0, len(over)-int(k.Suspends))] {
			delete(t.suspends, s.ID)
		}
		return nil
	})
}

var errNone = fault.New(fault.NotFound, "there is none")
