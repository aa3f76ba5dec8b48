package ledger_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// TestThoseWhoWaitShareATransaction: writers at once are grouped, each still
// whole or not at all: every acknowledged decision is there, no refused one is.
func TestThoseWhoWaitShareATransaction(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	r.commit(&engine.Decision{Policies: []engine.PolicyRow{put("taken", 0)}})
	before := r.Stats(context.Background())
	const writers, each = 32, 12
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[int64]string{}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("p-%d-%d", w, i)
				d := &engine.Decision{Remediations: []remedy.Remediation{order(name, "s")}, Policies: []engine.PolicyRow{put(name, 0)},
					Audit: []audit.Record{record("policy.put", name)}}
				switch i % 4 {
				case 1: // written in part, then refused
					d.Policies = append(d.Policies, put("taken", 0))
					_, err := r.Commit(context.Background(), d)
					if fault.KindOf(err) != fault.Conflict {
						t.Errorf("%s: %v", name, err)
					}
				case 2:
					if _, err := r.Commit(gone, d); fault.KindOf(err) != fault.Cancelled {
						t.Errorf("%s: %v", name, err)
					}
				default:
					rc, err := r.Commit(context.Background(), d)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					mu.Lock()
					ids[rc.Remediations[0]] = name
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	after := r.Stats(context.Background())
	if jobs, commits := after.Jobs-before.Jobs, after.Commits-before.Commits; jobs != writers*each/2 || commits >= jobs {
		t.Errorf("%d jobs took %d transactions", jobs, commits)
	}
	s := r.load()
	if len(s.Active) != len(ids) || len(s.Policies) != len(ids)+1 || len(ids) != writers*each/2 {
		t.Fatalf("%d acknowledged, %d remediations and %d policies are there", len(ids), len(s.Active), len(s.Policies))
	}
	for _, m := range s.Active {
		if ids[m.ID] != m.Target {
			t.Fatalf("remediation %d is %s, its writer was told %s", m.ID, m.Target, ids[m.ID])
		}
	}
	if h := r.verify(); int(h.Seq) != len(ids) {
		t.Fatalf("%d records for %d decisions", h.Seq, len(ids))
	}
}

// TestLogStaysBounded: the write-ahead log is emptied however much is written
// and while readers come and go, with nobody running the upkeep.
func TestLogStaysBounded(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, config(dir))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, _, err := r.Remediations(context.Background(), engine.RemediationFilter{Limit: 200}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	big := record("v", "o")
	big.Evidence = make([]byte, 200<<10)
	most := int64(0)
	rounds := 200 // 40 MiB
	if brief() {
		rounds = 90
	}
	for range rounds {
		r.commit(&engine.Decision{Remediations: []remedy.Remediation{order("w", "s")}, Audit: []audit.Record{big}})
		st, err := os.Stat(filepath.Join(dir, "ledger.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, st.Size())
	}
	close(done)
	wg.Wait()
	if most > 16<<20 {
		t.Fatalf("the log grew to %d MiB", most>>20)
	}
	if s := r.Stats(context.Background()); s.Checkpoints == 0 || s.BytesWritten < int64(rounds)*200<<10 || s.LogBytes > 16<<20 {
		t.Fatalf("%+v", s)
	}
}

// model is what the ledger should hold, as plain maps.
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

// TestCommitFollowsTheModel: any sequence of decisions, restarts and crashes
// leaves exactly what plain maps would hold.
func TestCommitFollowsTheModel(t *testing.T) {
	histories(t, 6, 25, func(rt *rapid.T, r *rig) func() {
		m := model{map[string]int64{}, map[string]int64{}, map[int64]remedy.Remediation{}, 0, 0}
		return func() {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				r.reopen()
			case 1:
				r.crash()
				r.open()
				m.records++ // the unclean start
			default:
				d := drawDecision(rt, m)
				next, ok := m.apply(d)
				r.agrees(rt, d, ok)
				m = next
			}
			m.compare(rt, r)
		}
	})
}

func drawDecision(rt *rapid.T, m model) *engine.Decision {
	d := &engine.Decision{Position: rapid.Uint64Range(0, 50).Draw(rt, "position")}
	names := []string{"a", "b", "c"}
	near := func(v int64) int64 { // mostly right
		return max(0, v+rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 1, -1}).Draw(rt, "off"))
	}
	for range rapid.IntRange(0, 2).Draw(rt, "firings") {
		name := rapid.SampledFrom(names).Draw(rt, "firing")
		f := firing("hot", name, near(m.firings[name]))
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
		d.Policies = append(d.Policies, put(name, near(m.policies[name])))
	}
	for range rapid.IntRange(0, 2).Draw(rt, "remediations") {
		x := order(rapid.StringN(0, 4, 40).Draw(rt, "target"), "s")
		x.Details, x.Fingerprint = rapid.String().Draw(rt, "details"), rapid.Uint64().Draw(rt, "fingerprint")
		d.Remediations = append(d.Remediations, x)
	}
	if len(m.remediations) > 0 && rapid.Bool().Draw(rt, "move") {
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.remediations))).Draw(rt, "moved")
		x := m.remediations[id]
		v := near(x.Version)
		x.State = rapid.SampledFrom([]remedy.State{remedy.Queued, remedy.Held, remedy.Succeeded, remedy.Cancelled}).Draw(rt, "state")
		x.Until.Wall, x.Reason = rapid.Int64().Draw(rt, "until"), rapid.String().Draw(rt, "reason")
		d.Moves = append(d.Moves, engine.RemediationMove{Version: v, Move: remedy.Move{Next: x, Audit: []audit.Record{record("move", "x")}}})
	}
	for range rapid.IntRange(0, 2).Draw(rt, "audit") {
		d.Audit = append(d.Audit, audit.Record{Verb: rapid.String().Draw(rt, "verb"), Evidence: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(rt, "evidence")})
	}
	return d
}

func (m model) compare(rt *rapid.T, r *rig) {
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
