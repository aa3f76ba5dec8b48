// Package rehearse runs policies over given samples on a virtual clock: the
// engine itself, stopping before the commit.
//
// Nothing is stored, nothing is done, and the same story gives the same states
// and remediations every time. It stands in for store and ledger by remembering
// nothing on disk; in a rehearsal every remediation stays queued. One goroutine;
// it starts nothing.
package rehearse

import (
	"context"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/evaluate"
	"vigil/engine/fault"
	"vigil/engine/policies"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Rehearsal is one run of a story. See the package comment.
type Rehearsal struct {
	e       *evaluate.Evaluator
	keeper  *policies.Keeper
	stage   *stage
	now     clock.Stamp
	Decided []Rehearsed
}

// Rehearsed is a remediation that would have been queued.
type Rehearsed struct {
	At          time.Duration // since the rehearsal's start
	Remediation remedy.Remediation
}

// rehearsalStart is the wall clock at time zero of a story: a Monday, 00:00 UTC.
const rehearsalStart = 1_767_571_200_000_000

// New makes one from policy documents; issues name what is wrong.
func New(docs []engine.PolicyDocument, actions remedy.Actions) (*Rehearsal, error) {
	r := &Rehearsal{now: clock.Stamp{Wall: rehearsalStart, Boot: int64(24 * time.Hour), BootID: "rehearsal"}}
	r.stage = &stage{refs: map[uint64]series.Ref{}, seq: 1}
	cfg := engine.Defaults()
	cfg.Shards = 1
	tell := func() clock.Stamp { return r.now }
	e, err := evaluate.New(cfg, engine.Deps{Samples: r.stage, Journal: r.stage, Reader: r.stage, Clock: tell})
	if err != nil {
		return nil, err
	}
	r.e, r.keeper = e, policies.New(e, actions, cfg.WindowMemory, tell)
	if err := e.Load(context.Background(), &engine.Snapshot{Epoch: 1}); err != nil {
		return nil, err
	}
	for _, d := range docs {
		if _, err := r.keeper.PutPolicy(context.Background(), "rehearsal", d, document.Folder, "", true); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// At is the time of a moment of the story, as samples carry it.
func (r *Rehearsal) At(d time.Duration) int64 { return rehearsalStart/1000 + d.Milliseconds() }

// Feed moves the clock to d and takes the samples of that moment in.
func (r *Rehearsal) Feed(d time.Duration, ls []series.Labels, vs []float64) {
	r.Advance(d)
	b := &series.Batch{Received: r.now.Millis(), Own: true}
	for i := range ls {
		b.Add(ls[i], r.At(d), vs[i])
	}
	r.stage.commit(r.e, b, ls)
	r.e.Wake(context.Background())
	r.collect()
}

// Advance moves the clock to d, waking what falls due on the way.
func (r *Rehearsal) Advance(d time.Duration) {
	end := int64(24*time.Hour) + int64(d)
	for {
		at, ok := r.e.NextWake()
		if !ok || at > end {
			break
		}
		r.set(max(at, r.now.Boot))
		r.e.Wake(context.Background())
		r.collect()
	}
	r.set(end)
}

func (r *Rehearsal) set(boot int64) {
	r.now.Boot = boot
	r.now.Wall = rehearsalStart + (boot-int64(24*time.Hour))/1000
}

func (r *Rehearsal) collect() {
	for _, m := range r.stage.made {
		r.Decided = append(r.Decided, Rehearsed{time.Duration(r.now.Boot) - 24*time.Hour, m})
	}
	r.stage.made = nil
}

// State is where the firing of a policy over a label set stands; ok when there
// is none. Labels are a subset that picks the instance; ok is false when more
// than one fits.
func (r *Rehearsal) State(name string, labels map[string]string) (st policy.State, ok bool) {
	st = policy.StateOK
	n := 0
	for _, f := range r.e.States(true) {
		if f.Policy != name {
			continue
		}
		fits := true
		for k, v := range labels {
			fits = fits && f.Labels.Get(k) == v
		}
		if fits {
			st = f.State
			n++
		}
	}
	return st, n <= 1
}

// stage stands in for store and ledger in a rehearsal: it gives out ids and
// remembers nothing on disk.
type stage struct {
	refs  map[uint64]series.Ref
	seq   uint64
	ids   int64
	made  []remedy.Remediation
	known []remedy.Remediation
}

func (s *stage) Start(context.Context, uint64, engine.Hooks) error { return nil }
func (s *stage) Append(context.Context, *series.Batch) error       { return nil }
func (s *stage) Evaluated(uint64)                                  {}
func (s *stage) Load(context.Context) (*engine.Snapshot, error) {
	return &engine.Snapshot{Epoch: 1}, nil
}
func (s *stage) Attempts(context.Context, int64) ([]remedy.Attempt, error) { return nil, nil }

func (s *stage) Select(context.Context, series.Selector, int64, int64) (engine.Cursor, error) {
	return noCursor{}, nil
}

func (s *stage) Commit(_ context.Context, d *engine.Decision) (engine.Receipt, error) {
	var rc engine.Receipt
	for _, r := range d.Remediations {
		s.ids++
		r.ID, r.Version = s.ids, 1
		s.made, s.known = append(s.made, r), append(s.known, r)
		rc.Remediations = append(rc.Remediations, r.ID)
	}
	return rc, nil
}

// Remediations answers what the evaluator asks: whether one is under way. In a
// rehearsal every remediation stays queued.
func (s *stage) Remediations(_ context.Context, f engine.RemediationFilter) ([]remedy.Remediation, int, error) {
	for i := len(s.known) - 1; i >= 0; i-- {
		if r := s.known[i]; r.Policy == f.Policy && (f.Firing == nil || *f.Firing == r.Fingerprint) {
			return []remedy.Remediation{r}, 1, nil
		}
	}
	return nil, 0, nil
}

func (s *stage) Remediation(context.Context, int64) (remedy.Remediation, error) {
	return remedy.Remediation{}, fault.New(fault.NotFound, "a rehearsal keeps no remediations")
}
func (s *stage) Audit(context.Context, int64, string, int) ([]audit.Record, error) { return nil, nil }
func (s *stage) AuditAbout(context.Context, []string, int) ([]audit.Record, error) { return nil, nil }
func (s *stage) History(context.Context, remedy.Query, clock.Stamp) (remedy.History, error) {
	return remedy.History{}, nil
}
func (s *stage) Counts(context.Context, clock.Stamp) (map[remedy.State]int, error) { return nil, nil }

// commit registers what is new and hands the batch over as the store would.
func (s *stage) commit(e *evaluate.Evaluator, b *series.Batch, ls []series.Labels) {
	for i := range b.Items {
		fp := ls[i].Fingerprint()
		ref, ok := s.refs[fp]
		if !ok {
			ref = series.Ref(len(s.refs) + 1)
			s.refs[fp] = ref
			e.Registered(ref, series.Local(ref), ls[i].Key())
		}
		b.Items[i].Ref, b.Items[i].Local = ref, series.Local(ref)
	}
	b.Seq = s.seq
	s.seq += uint64(len(b.Points))
	e.Committed([]*series.Batch{b})
}

type noCursor struct{}

func (noCursor) Next() bool                                        { return false }
func (noCursor) Labels() series.Labels                             { return nil }
func (noCursor) Ref() series.Ref                                   { return 0 }
func (noCursor) Points(buf []series.Point) ([]series.Point, error) { return buf, nil }
func (noCursor) Err() error                                        { return nil }
func (noCursor) Close() error                                      { return nil }
