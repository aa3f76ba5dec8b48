package desired

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/reconcile"
)

// wanted is what the store should hold of desired state, as plain maps.
type wanted struct {
	revisions                         map[int64]engine.Revision
	resources                         map[string]engine.Resource
	drifts                            map[int64]engine.Drift
	suspends                          map[string]engine.Suspend
	undo                              map[int64]engine.Undo
	lastRevision, lastDrift, lastUndo int64
}

// apply says what a decision does to the model, or that it is a conflict.
func (m wanted) apply(d *engine.DesiredDecision) (wanted, bool) {
	n := m
	n.revisions, n.resources, n.drifts = maps.Clone(m.revisions), maps.Clone(m.resources), maps.Clone(m.drifts)
	n.suspends, n.undo = maps.Clone(m.suspends), maps.Clone(m.undo)
	for _, v := range d.Revisions {
		n.revisions[v.N], n.lastRevision = v, max(n.lastRevision, v.N)
	}
	for _, f := range d.Drifts {
		n.drifts[f.ID], n.lastDrift = f, max(n.lastDrift, f.ID)
	}
	for _, s := range d.Suspends {
		n.suspends[s.ID] = s
	}
	for _, ref := range d.Forgotten {
		delete(n.resources, ref)
	}
	for _, v := range d.Resources {
		n.resources[v.Key.Ref()] = v
	}
	for _, u := range d.Undo {
		if _, ok := n.revisions[u.Revision]; !ok {
			return m, false
		}
		n.undo[u.N], n.lastUndo = u, max(n.lastUndo, u.N)
	}
	maps.DeleteFunc(n.undo, func(k int64, _ engine.Undo) bool { return slices.Contains(d.Undone, k) || k <= d.Settled })
	busy, standing := 0, map[string]bool{}
	for _, v := range n.revisions {
		if v.State.Open() && v.State != engine.RevisionSeen {
			busy++
		}
	}
	for _, f := range n.drifts {
		key := f.Ref + "\x00" + f.Field
		if f.Ended.IsZero() && standing[key] {
			return m, false
		}
		standing[key] = standing[key] || f.Ended.IsZero()
	}
	if busy > 1 {
		return m, false
	}
	return n, true
}

func sorted[K cmp.Ordered, V any](m map[K]V, keep func(V) bool) (out []V) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if keep(m[k]) {
			out = append(out, m[k])
		}
	}
	return out
}

// snapshot is what the keeper should start from.
func (m wanted) snapshot() *engine.DesiredSnapshot {
	from := int64(0)
	for _, v := range m.revisions {
		if v.State == engine.RevisionGood && v.Return == 0 {
			from = max(from, v.N)
		}
	}
	return &engine.DesiredSnapshot{
		Revisions: sorted(m.revisions, func(v engine.Revision) bool { return v.N >= from || v.State.Open() }),
		Resources: sorted(m.resources, func(engine.Resource) bool { return true }),
		Drifts:    sorted(m.drifts, func(f engine.Drift) bool { return f.Ended.IsZero() }),
		Suspends:  sorted(m.suspends, func(s engine.Suspend) bool { return s.Ended.IsZero() }),
		Undo:      sorted(m.undo, func(engine.Undo) bool { return true }),

		LastRevision: m.lastRevision, LastDrift: m.lastDrift, LastUndo: m.lastUndo,
	}
}

// desiredStateFollowsTheModel: any sequence of decisions, restarts, crashes
// and trims leaves exactly what plain maps would hold.
func desiredStateFollowsTheModel(r *stand.Rig) {
	r.Histories(8, 30, func(rt *rapid.T, r *stand.Rig) func() {
		m := wanted{map[int64]engine.Revision{}, map[string]engine.Resource{}, map[int64]engine.Drift{}, map[string]engine.Suspend{}, map[int64]engine.Undo{}, 0, 0, 0}
		return func() {
			switch rapid.IntRange(0, 11).Draw(rt, "what") {
			case 0:
				r.Reopen()
			case 1:
				r.Crash()
				r.Start()
			case 2:
				m.trim(rt, r)
			default:
				d := drawDesired(rt, m)
				next, ok := m.apply(d)
				r.Agrees(rt, &engine.Decision{Desired: d}, ok)
				m = next
			}
			m.compare(rt, r)
		}
	})
}

func (m wanted) compare(rt *rapid.T, r *stand.Rig) {
	s, err := r.Desired(context.Background())
	if err != nil {
		rt.Fatal(err)
	}
	if d := gocmp.Diff(m.snapshot(), s); d != "" {
		rt.Fatal(d)
	}
	vs, err := r.Revisions(context.Background(), 0, 0)
	if err != nil {
		rt.Fatal(err)
	}
	fs, err := r.Drifts(context.Background(), 0, "", false, 0)
	if err != nil {
		rt.Fatal(err)
	}
	slices.Reverse(vs)
	slices.Reverse(fs)
	if d := gocmp.Diff(sorted(m.revisions, func(engine.Revision) bool { return true }), vs) +
		gocmp.Diff(sorted(m.drifts, func(engine.Drift) bool { return true }), fs); d != "" {
		rt.Fatal(d)
	}
}

// trim forgets in the model what the store forgot, once it has been seen that
// it was allowed to.
func (m wanted) trim(rt *rapid.T, r *stand.Rig) {
	keep := stand.Keep{Finished: 1000, Closed: 1000, Revisions: rapid.Int64Range(0, 3).Draw(rt, "revisions"), Drifts: rapid.Int64Range(0, 3).Draw(rt, "drifts"), Suspends: 1}
	newest, landed := int64(0), int64(0)
	for _, v := range m.revisions {
		if v.State == engine.RevisionGood {
			if newest = max(newest, v.N); v.Return == 0 {
				landed = max(landed, v.N)
			}
		}
	}
	if err := r.Place.Trim(r.Store, keep); err != nil {
		rt.Fatal(err)
	}
	named := map[int64]bool{newest: true, landed: true}
	for _, u := range m.undo {
		named[u.Revision] = true
	}
	top := slices.Max(append(slices.Collect(maps.Keys(m.revisions)), 0))
	maps.DeleteFunc(m.revisions, func(n int64, v engine.Revision) bool { return n <= top-keep.Revisions && !v.State.Open() && !named[n] })
	top = slices.Max(append(slices.Collect(maps.Keys(m.drifts)), 0))
	maps.DeleteFunc(m.drifts, func(n int64, f engine.Drift) bool { return n <= top-keep.Drifts && !f.Ended.IsZero() })
	over := sorted(m.suspends, func(s engine.Suspend) bool { return !s.Ended.IsZero() })
	for _, s := range over[:max(0, len(over)-1)] {
		delete(m.suspends, s.ID)
	}
}

func drawDesired(rt *rapid.T, m wanted) *engine.DesiredDecision {
	d := &engine.DesiredDecision{}
	text := func(name string) string { return rapid.String().Draw(rt, name) }
	mostly := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) > 0 }
	when := func(name string) time.Time {
		if !mostly(name + " is known") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(0, 1<<35).Draw(rt, name), rapid.Int64Range(0, 999_999_999).Draw(rt, name+" ns")).UTC()
	}
	state := func() reconcile.State {
		if !mostly("written") {
			return nil
		}
		return rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(rt, "state")
	}
	states := []engine.RevisionState{engine.RevisionSeen, engine.RevisionApplying, engine.RevisionChecking, engine.RevisionUndoing,
		engine.RevisionGood, engine.RevisionBad, engine.RevisionReplaced, engine.RevisionRefused}
	last := m.lastRevision
	if mostly("new revision") {
		last += rapid.Int64Range(1, 2).Draw(rt, "gap")
		v := stand.Revision(last, engine.RevisionSeen)
		v.State, v.Return = rapid.SampledFrom(states).Draw(rt, "state"), rapid.Int64Range(0, last-1).Draw(rt, "return")*rapid.Int64Range(0, 1).Draw(rt, "returns")
		v.Subject, v.Author, v.Reason, v.Why, v.When, v.Confirmed = text("subject"), text("author"), text("reason"), text("why"), when("when"), mostly("confirmed")
		v.Seen = stand.At(rapid.Int64Range(0, 1000).Draw(rt, "seen"))
		d.Revisions = append(d.Revisions, v)
	}
	for _, v := range sorted(m.revisions, func(v engine.Revision) bool { return v.State.Open() || v.State == engine.RevisionGood }) {
		if mostly("leave") {
			continue
		}
		from := states
		if !v.State.Open() {
			from = states[4:]
		}
		v.State, v.Starts, v.Why = rapid.SampledFrom(from).Draw(rt, "next"), v.Starts+1, text("why")
		if !v.State.Open() {
			v.Ended = stand.At(v.N)
		}
		d.Revisions = append(d.Revisions, v)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "drifts") {
		f := stand.Drift(m.lastDrift+1+int64(len(d.Drifts)), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "field"))
		f.Wanted, f.Difference.Found, f.Suspect, f.Since = text("wanted"), text("found"), text("suspect"), when("since")
		d.Drifts = append(d.Drifts, f)
	}
	for _, f := range sorted(m.drifts, func(f engine.Drift) bool { return f.Ended.IsZero() }) {
		if mostly("end") {
			d.Drifts = append(d.Drifts, stand.Ended(f, "healed"))
		}
	}
	if mostly("resource") {
		v := stand.Resource(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"), text("commit"))
		v.Last, v.Adopted, v.Prune, v.Heals.Last, v.Heals.Count = state(), mostly("adopted"), mostly("prune"), when("healed"), rapid.IntRange(0, 9).Draw(rt, "heals")
		d.Resources = append(d.Resources, v)
	} else {
		d.Forgotten = []string{rapid.SampledFrom([]string{"File/a", "File/b", "File/c"}).Draw(rt, "forgotten")}
	}
	if mostly("suspend") {
		s := stand.Suspend(rapid.StringMatching("[a-c]{1,2}").Draw(rt, "id"))
		if was, ok := m.suspends[s.ID]; ok {
			s = was
			s.Ended = stand.At(7)
		}
		d.Suspends = append(d.Suspends, s)
	}
	for i := range rapid.Int64Range(0, 2).Draw(rt, "steps") {
		of := max(last, 1)
		if !mostly("of the newest") {
			of = rapid.Int64Range(1, of).Draw(rt, "of")
		}
		u := stand.Undo(m.lastUndo+1+i, of, nil)
		u.Summary, u.Final = text("summary"), text("final")
		if mostly("before") {
			before := stand.Resource("motd", text("commit"))
			before.Last, before.Adopted, before.Prune = state(), mostly("was adopted"), mostly("was to be pruned")
			u.Before = &before
		}
		d.Undo = append(d.Undo, u)
	}
	if len(m.undo) > 0 && mostly("undone") {
		d.Undone = []int64{rapid.SampledFrom(slices.Sorted(maps.Keys(m.undo))).Draw(rt, "undone")}
	}
	if !mostly("unsettled") {
		d.Settled = rapid.Int64Range(0, m.lastUndo+2).Draw(rt, "settled")
	}
	return d
}
