package shard

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/match"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// notebook is a journal that notes how much waited in the shard at each commit.
type notebook struct {
	engine.Journal
	shard              *Shard
	commits, most      int
	firings, remedies  int
	during             func(commit int)
	evaluatedWhenFirst uint64
}

func (n *notebook) Commit(_ context.Context, d *engine.Decision) (engine.Receipt, error) {
	if n.commits++; n.commits == 1 {
		n.evaluatedWhenFirst = n.shard.c.Count.Evaluations.Load()
	}
	n.shard.Mu.Lock()
	n.most = max(n.most, len(n.shard.changes)+len(d.Firings))
	n.shard.Mu.Unlock()
	n.firings += len(d.Firings)
	n.remedies += len(d.Remediations)
	if n.during != nil {
		n.during(n.commits)
	}
	return engine.Receipt{}, nil
}

// storm is one policy with n instances, and a block that brings each of them these
// values, a second apart.
func storm(t *testing.T, n int, replay bool, values ...float64) (*Shard, *notebook, []*Instance) {
	t.Helper()
	c, issues := policy.Compile(policy.Spec{Match: "storm", Fire: "value > 0"})
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	now := clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
	book := &notebook{}
	core := &Core{
		Journal: book, Clock: func() clock.Stamp { return now }, Log: slog.New(slog.DiscardHandler), Track: &Tracker{}, Count: &Counters{},
		Opened: new(atomic.Bool), Nudge: func() {}, Stored: func(uint64) {},
	}
	s := New(core)
	book.shard = s
	en := &Entry{Name: "storm", Cond: c, Shard: s, Insts: map[uint64]*Instance{}}
	en.P.Doc = engine.PolicyDocument{Name: "storm", Enabled: true, Remedy: &remedy.Plan{Ladder: []remedy.Rung{{Action: "loud"}}}}
	core.Find = func(string) *Entry { return en }
	b := TakeBlock(s, 1, now, replay)
	var out []*Instance
	for i := range n {
		x := NewInstance(en, series.FromMap("storm", map[string]string{"id": fmt.Sprint(i)}), false)
		en.Insts[x.FP] = x
		out = append(out, x)
		var ps []series.Point
		for k, v := range values {
			ps = append(ps, series.Point{T: now.Millis() + int64(k)*1000, V: v})
		}
		b.Add(&match.Watch[Tap]{Live: match.Live{Ref: series.Ref(i + 1)}, Taps: []Tap{{Inst: x}}}, ps)
	}
	core.Track.Begin(Span{From: 0, End: 1, Left: 1, Points: n, At: now})
	s.Push(b)
	return s, book, out
}

// TestStormWaitsAsSamples: what fires at one time is written by pieces while the
// rest is not yet looked at, so that no more than a piece is held as evidence.
func TestStormWaitsAsSamples(t *testing.T) {
	const n = 3 * pieceMost
	s, book, _ := storm(t, n, false, 1)
	s.Pump(t.Context())
	if book.most > pieceMost || book.evaluatedWhenFirst > pieceMost {
		t.Errorf("%d changes waited at once, %d instances were looked at before the first was written; a piece is %d", book.most, book.evaluatedWhenFirst, pieceMost)
	}
	if book.firings != n || book.remedies != n || s.c.Track.Position() != 1 {
		t.Errorf("%d firings, %d remediations of %d; evaluated to %d", book.firings, book.remedies, n, s.c.Track.Position())
	}
}

// TestStormThatClearsIsNoRemediation: instances that fire and clear within one batch
// have nothing left to put right, however many they are.
func TestStormThatClearsIsNoRemediation(t *testing.T) {
	s, book, _ := storm(t, 2*pieceMost, false, 1, 0)
	s.Pump(t.Context())
	if book.remedies != 0 {
		t.Errorf("%d remediations of what has cleared", book.remedies)
	}
}

// TestStormOfThePastIsOneRound: the same holds across the batches of a replay, whose
// first may not be written before the next is seen.
func TestStormOfThePastIsOneRound(t *testing.T) {
	s, book, _ := storm(t, 2*pieceMost, true, 1)
	s.Pump(t.Context())
	if book.evaluatedWhenFirst != 2*pieceMost {
		t.Errorf("%d of %d were evaluated before the first was written", book.evaluatedWhenFirst, 2*pieceMost)
	}
}

// TestStormMeetsChanges: while a piece is written an instance may go, which is then
// not looked at, and the daemon may stop, which leaves the rest to the log.
func TestStormMeetsChanges(t *testing.T) {
	const n = 3 * pieceMost
	s, book, xs := storm(t, n, false, 1)
	book.during = func(commit int) {
		if commit == 1 {
			s.Mu.Lock()
			s.Retire(xs[n-1], "gone")
			s.Mu.Unlock()
		}
	}
	s.Pump(t.Context())
	if firing := int(xs[0].En.Firing.Load()); book.remedies != n-1 || firing != n-1 {
		t.Errorf("%d remediations, %d firing of %d", book.remedies, firing, n-1)
	}

	ctx, cancel := context.WithCancel(t.Context())
	s, book, _ = storm(t, n, false, 1)
	s.c.Journal = stopping{book, cancel}
	s.Pump(ctx)
	if book.remedies != pieceMost || s.c.Track.Position() != 0 {
		t.Errorf("%d remediations were written, and it counts as evaluated to %d", book.remedies, s.c.Track.Position())
	}
}

// stopping writes once, and then the daemon stops.
type stopping struct {
	*notebook
	stop func()
}

func (j stopping) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if j.commits > 0 {
		j.stop()
		return engine.Receipt{}, context.Cause(ctx)
	}
	return j.notebook.Commit(ctx, d)
}

// moved is a ledger in which somebody has moved what is to be withdrawn, once.
type moved struct {
	*notebook
	refused, withdrawn int
}

func (j *moved) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if len(d.Moves) > 0 && j.refused == 0 {
		j.refused++
		return engine.Receipt{}, fault.New(fault.Conflict, "planted")
	}
	j.withdrawn += len(d.Moves)
	return j.notebook.Commit(ctx, d)
}

// TestWhatCouldNotBeWithdrawnIsAskedForAgain: a remediation that somebody moved while
// its firing cleared may still wait when that fires again, and is withdrawn then.
func TestWhatCouldNotBeWithdrawnIsAskedForAgain(t *testing.T) {
	s, book, xs := storm(t, 1, false, 1)
	x := xs[0]
	j := &moved{notebook: book}
	s.c.Journal = j
	s.c.Reader = last{r: remedy.Remediation{ID: 7, Version: 1, Policy: "storm", Fingerprint: x.FP, State: remedy.Held, Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: "loud"}}}}}
	w := &match.Watch[Tap]{Live: match.Live{Ref: 1}, Taps: []Tap{{Inst: x}}}
	s.Pump(t.Context())
	for k, v := range []float64{0, 1} {
		at := s.c.Clock()
		b := TakeBlock(s, uint64(k+2), at, false)
		b.Add(w, []series.Point{{T: at.Millis() + int64(k+1)*1000, V: v}})
		s.c.Track.Begin(Span{From: uint64(k + 1), End: uint64(k + 2), Left: 1, Points: 1, At: at})
		s.Push(b)
		s.Pump(t.Context())
	}
	if j.refused != 1 || j.withdrawn != 1 || book.remedies != 2 {
		t.Errorf("%d refused, %d withdrawn, %d remediations", j.refused, j.withdrawn, book.remedies)
	}
}
