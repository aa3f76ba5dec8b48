package internal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/actions"
	"vigil/actions/heal"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/load"
	"vigil/engine/remedy"
	"vigil/engine/world"
)

// rig is documents, the real world and the real actions, with nothing between
// them: what the engine does with gates and a ledger, without both.
type rig struct {
	t     testing.TB
	world *world.World
	acts  *actions.Set
	trust reconcile.Trust
	last  map[string]reconcile.State
}

func newRig(t testing.TB, dir string) *rig {
	t.Helper()
	trust := reconcile.Trust{Kinds: []string{"File", "Directory"}, Paths: []string{dir}, Refused: []string{filepath.Join(dir, "vigil")}}
	acts, err := actions.New(actions.Config{DataDir: t.TempDir(), Heal: heal.Config{Paths: trust.Places(), Made: trust.Made(), Opens: trust.Opens, Above: trust.Above, Refused: trust.Refused}},
		actions.Deps{Log: slog.New(slog.DiscardHandler), Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Config{}, world.Deps{State: acts.UnitState})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, world: w, acts: acts, trust: trust, last: map[string]reconcile.State{}}
}

func (r *rig) load(text string) *reconcile.Set {
	r.t.Helper()
	s, is := load.Load([]load.File{{Path: "a.yaml", Data: []byte(text)}}, load.Host{}, r.trust, load.Deps{})
	if len(is) > 0 {
		r.t.Fatal(is)
	}
	return s
}

// step carries out one step by the real action, and returns how to undo it.
func (r *rig) step(s reconcile.Step) (undo remedy.Request) {
	r.t.Helper()
	if s.Content != nil {
		if _, err := r.acts.Contents().Put(s.Content); err != nil {
			r.t.Fatal(err)
		}
	}
	a, ok := r.acts.Action(s.Action)
	if !ok {
		r.t.Fatalf("there is no action %s", s.Action)
	}
	req := remedy.Request{Attempt: "1-1-1", Action: s.Action, With: s.With, Timeout: time.Minute}
	if u, ok := a.(remedy.Undoer); ok {
		var err error
		if undo, err = u.Undo(r.t.Context(), req); err != nil {
			r.t.Logf("%s: not undoable: %v", s.Summary, err)
		}
	}
	if res, err := a.Run(r.t.Context(), req); err != nil || !res.OK {
		r.t.Fatalf("%s: %+v, %v", s.Summary, res, err)
	}
	return undo
}

// round heals every item once, in order, and tells what differed.
func (r *rig) round(s *reconcile.Set) (differed []string) {
	r.t.Helper()
	for _, it := range s.Items {
		seen, err := it.Observe(r.t.Context(), r.world)
		if err != nil {
			r.t.Fatal(err)
		}
		ds := it.Differences(r.last[it.Key().Ref()], seen)
		steps, _ := it.Plan(seen, ds)
		for _, st := range steps {
			r.step(st)
		}
		for _, d := range ds {
			differed = append(differed, it.Key().Ref()+" "+d.Field+" "+string(d.Class))
		}
		if seen, err = it.Observe(r.t.Context(), r.world); err != nil {
			r.t.Fatal(err)
		}
		r.last[it.Key().Ref()] = reconcile.Written(seen.State, it.Ignore)
	}
	return differed
}

func desired(dir string) string {
	return strings.ReplaceAll(`apiVersion: vigil/v1
kind: Directory
metadata: {name: d}
spec: {path: DIR/d, permissions: "0755", purge: true, keep: [kept]}
---
apiVersion: vigil/v1
kind: File
metadata: {name: whole}
spec: {path: DIR/d/whole, content: "all of it\n", permissions: "0640", dependsOn: [Directory/d]}
---
apiVersion: vigil/v1
kind: File
metadata: {name: part}
spec: {path: DIR/d/part.json, match: json, values: {a: {b: 1}}, dependsOn: [Directory/d]}
---
apiVersion: vigil/v1
kind: File
metadata: {name: block}
spec: {path: DIR/d/block, match: block, content: "ours\n", dependsOn: [Directory/d]}
`, "DIR", dir)
}

// TestConverge_AnyEditOfTheRealFilesIsHealedInOneRound: by rename, in place,
// chmod, deletion, a link, a folder that is empty, a file that nobody named.
func TestConverge_AnyEditOfTheRealFilesIsHealedInOneRound(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	set := r.load(desired(dir))
	if err := os.WriteFile(filepath.Join(dir, "outside"), []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.round(set)
	if got := r.round(set); len(got) > 0 {
		t.Fatalf("a second round finds %v", got)
	}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 4).Draw(rt, "edits") {
			p := filepath.Join(dir, "d", rapid.SampledFrom([]string{"whole", "part.json", "block", "kept", "new"}).Draw(rt, "file"))
			var err error
			switch e := rapid.SampledFrom([]string{"rename", "write", "chmod", "delete", "link", "all"}).Draw(rt, "edit"); e {
			case "rename":
				if err = os.WriteFile(p+".x", []byte("{}\n"), 0o600); err == nil {
					err = os.Rename(p+".x", p)
				}
			case "write":
				if st, e := os.Lstat(p); e != nil || st.Mode().IsRegular() {
					err = os.WriteFile(p, []byte("{\"z\": 1}\n"), 0o644)
				}
			case "chmod":
				if st, e := os.Lstat(p); e == nil && st.Mode().IsRegular() {
					err = os.Chmod(p, 0o666)
				}
			case "delete":
				err = os.RemoveAll(p)
			case "link":
				if err = os.RemoveAll(p); err == nil {
					err = os.Symlink(filepath.Join(dir, "outside"), p)
				}
			case "all":
				err = os.RemoveAll(filepath.Join(dir, "d"))
				if err == nil {
					err = os.Mkdir(filepath.Join(dir, "d"), 0o700)
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		r.round(set)
		if got := r.round(set); len(got) > 0 {
			rt.Fatalf("a second round finds %v", got)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "outside")); err != nil || string(b) != "theirs" {
			rt.Fatalf("what a link led to holds %q, %v", b, err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "d", "whole")); err != nil || string(b) != "all of it\n" {
			rt.Fatalf("the file holds %q, %v", b, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "d", "new")); err == nil {
			rt.Fatal("what no document names is still there")
		}
	})
}

// TestConverge_DriftOrphanAndUndo is the life of one file: written, touched,
// healed, wanted otherwise, brought back, wanted no more.
func TestConverge_DriftOrphanAndUndo(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	doc := func(content string) *reconcile.Set {
		return r.load(fmt.Sprintf("{apiVersion: vigil/v1, kind: File, metadata: {name: f}, spec: {path: %s/f, content: %q}}", dir, content))
	}
	f := filepath.Join(dir, "f")
	holds := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(f); err != nil || string(b) != want {
			t.Fatalf("it holds %q, %v, want %q", b, err, want)
		}
	}
	one, two := doc("one"), doc("two")
	if got := r.round(one); !slices.Equal(got, []string{"File/f exists pending"}) {
		t.Errorf("at first %v", got)
	}
	if err := os.WriteFile(f, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := r.round(one); !slices.Equal(got, []string{"File/f sha256 drift"}) {
		t.Errorf("touched: %v", got)
	}
	holds("one")
	if err := os.Remove(f); err != nil {
		t.Fatal(err)
	}
	if got := r.round(one); !slices.Equal(got, []string{"File/f exists missing"}) {
		t.Errorf("deleted: %v", got)
	}
	seen, err := two.Items[0].Observe(t.Context(), r.world)
	if err != nil {
		t.Fatal(err)
	}
	ds := two.Items[0].Differences(r.last["File/f"], seen)
	steps, _ := two.Items[0].Plan(seen, ds)
	back := r.step(steps[0])
	holds("two")
	a, _ := r.acts.Action(back.Action)
	if res, err := a.Run(t.Context(), back); err != nil || !res.OK {
		t.Fatalf("undo: %+v, %v", res, err)
	}
	holds("one")

	old, ok := kind.Retire(one.Items[0].Key(), r.last["File/f"])
	if !ok {
		t.Fatal("a file cannot be retired")
	}
	if got := r.round(&reconcile.Set{Items: []*reconcile.Item{{Resource: old}}}); !slices.Equal(got, []string{"File/f exists orphan"}) {
		t.Errorf("wanted no more: %v", got)
	}
	if _, err := os.Lstat(f); err == nil {
		t.Error("the orphan is still there")
	}
}

// BenchmarkHealOneFile is one managed file from being looked at, found changed,
// to written and synced, without gates and ledger.
func BenchmarkHealOneFile(b *testing.B) {
	dir := b.TempDir()
	r := newRig(b, dir)
	set := r.load(fmt.Sprintf("{apiVersion: vigil/v1, kind: File, metadata: {name: f}, spec: {path: %s/f, content: %q}}", dir, strings.Repeat("a line of config\n", 100)))
	r.round(set)
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte("mine"), 0o644); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		if got := r.round(set); len(got) != 1 {
			b.Fatal(got)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
