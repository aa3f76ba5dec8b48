package conform

import (
	"context"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// model is what the store should hold, as plain maps.
type model struct {
	firings      map[string]int64
	policies     map[string]int64
	remediations map[int64]remedy.Remediation
	records      int64
	position     uint64
}

// apply says what a decision does to the model, or that it is a conflict.
func (m model) apply(d *engine.Decision) (model, bool) {
	n := model{maps.Clone(m.firings), maps.Clone(m.policies), maps.Clone(m.remediations), m.records + int64(len(d.Audit)), max(m.position, d.Position)}
	for _, f := range d.Firings {
		if n.firings[f.Target] != f.Version {
			return m, false
		}
		n.firings[f.Target]++
		if f.Closed != "" {
			delete(n.firings, f.Target)
		}
	}
	for _, name := range d.Deleted {
		if n.policies[name] == 0 {
			return m, false
		}
		delete(n.policies, name)
	}
	for _, p := range d.Policies {
		if n.policies[p.Name] != p.Version {
			return m, false
		}
		n.policies[p.Name]++
	}
	for _, x := range d.Remediations {
		x.ID, x.Version = int64(len(n.remediations)+1), 1
		n.remediations[x.ID] = x
	}
	for _, mv := range d.Moves {
		x, ok := n.remediations[mv.Move.Next.ID]
		if !ok || x.Version != mv.Version {
			return m, false
		}
		next := mv.Move.Next
		next.Version = mv.Version + 1
		n.remediations[next.ID] = next
		n.records += int64(len(mv.Move.Audit))
	}
	return n, true
}

func drawDecision(rt *rapid.T, m model) *engine.Decision {
	d := &engine.Decision{Position: rapid.Uint64Range(0, 50).Draw(rt, "position")}
	names := []string{"a", "b", "c"}
	near := func(v int64) int64 { // mostly right
		return max(0, v+rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 1, -1}).Draw(rt, "off"))
	}
	for range rapid.IntRange(0, 2).Draw(rt, "firings") {
		name := rapid.SampledFrom(names).Draw(rt, "firing")
		f := stand.Firing("hot", name, near(m.firings[name]))
		if f.Version > 0 && rapid.Bool().Draw(rt, "close") {
			f.Closed = "over"
		}
		d.Firings = append(d.Firings, f)
	}
	if rapid.IntRange(0, 5).Draw(rt, "delete") == 0 {
		d.Deleted = []string{rapid.SampledFrom(names).Draw(rt, "deleted")}
	}
	for range rapid.IntRange(0, 1).Draw(rt, "policies") {
		name := rapid.SampledFrom(names).Draw(rt, "policy")
		d.Policies = append(d.Policies, stand.Policy(name, near(m.policies[name])))
	}
	for range rapid.IntRange(0, 2).Draw(rt, "remediations") {
		x := stand.Order(rapid.StringN(0, 4, 40).Draw(rt, "target"), "s")
		x.Details, x.Fingerprint = rapid.String().Draw(rt, "details"), rapid.Uint64().Draw(rt, "fingerprint")
		d.Remediations = append(d.Remediations, x)
	}
	if len(m.remediations) > 0 && rapid.Bool().Draw(rt, "move") {
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.remediations))).Draw(rt, "moved")
		x := m.remediations[id]
		v := near(x.Version)
		x.State = rapid.SampledFrom([]remedy.State{remedy.Queued, remedy.Held, remedy.Succeeded, remedy.Cancelled}).Draw(rt, "state")
		x.Until.Wall, x.Reason = rapid.Int64().Draw(rt, "until"), rapid.String().Draw(rt, "reason")
		d.Moves = append(d.Moves, engine.RemediationMove{Version: v, Move: remedy.Move{Next: x, Audit: []audit.Record{stand.Record("move", "x")}}})
	}
	for range rapid.IntRange(0, 2).Draw(rt, "audit") {
		d.Audit = append(d.Audit, audit.Record{Verb: rapid.String().Draw(rt, "verb"), Evidence: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(rt, "evidence")})
	}
	return d
}

func (m model) compare(rt *rapid.T, r *stand.Rig) {
	s, err := r.Load(context.Background())
	if err != nil {
		rt.Fatal(err)
	}
	got := model{map[string]int64{}, map[string]int64{}, map[int64]remedy.Remediation{}, r.AuditHead().Seq, s.Position}
	for _, f := range s.Firings {
		got.firings[f.Target] = f.Version
	}
	for _, p := range s.Policies {
		got.policies[p.Name] = p.Version
	}
	for id := range int64(len(m.remediations)) {
		x, err := r.Remediation(context.Background(), id+1)
		if err != nil {
			rt.Fatal(err)
		}
		got.remediations[x.ID] = x
	}
	if d := cmp.Diff(m, got, cmp.AllowUnexported(model{})); d != "" {
		rt.Fatal(d)
	}
	if _, err := r.AuditVerify(context.Background(), nil); err != nil {
		rt.Fatal(err)
	}
}

// commitFollowsTheModel: any sequence of decisions, restarts and crashes
// leaves exactly what plain maps would hold.
func commitFollowsTheModel(r *stand.Rig) {
	r.Histories(6, 25, func(rt *rapid.T, r *stand.Rig) func() {
		m := model{map[string]int64{}, map[string]int64{}, map[int64]remedy.Remediation{}, 0, 0}
		return func() {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				r.Reopen()
			case 1:
				r.Crash()
				r.Start()
				m.records++ // the unclean start
			default:
				d := drawDecision(rt, m)
				next, ok := m.apply(d)
				r.Agrees(rt, d, ok)
				m = next
			}
			m.compare(rt, r)
		}
	})
}
