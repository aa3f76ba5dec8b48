package engine

import (
	"context"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Rehearsal runs policies over given samples on a virtual clock: the engine
// itself, stopping before the commit. Nothing is stored and nothing is done.
// One goroutine.
type Rehearsal struct {
	e       *Engine
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

// NewRehearsal makes one from policy documents; issues name what is wrong.
func NewRehearsal(docs []PolicyDocument, actions remedy.Actions) (*Rehearsal, error) {
	r := &Rehearsal{now: clock.Stamp{Wall: rehearsalStart, Boot: int64(24 * time.Hour), BootID: "rehearsal"}}
	r.stage = &stage{refs: map[uint64]series.Ref{}, seq: 1}
	cfg := Defaults()
	cfg.Shards = 1
	e, err := New(cfg, Deps{
		Samples: r.stage, Journal: r.stage, Reader: r.stage, Actions: actions,
		Clock: func() clock.Stamp { return r.now },
	})
	if err != nil {
		return nil, err
	}
	r.e = e
	if err := e.load(context.Background()); err != nil {
		return nil, err
	}
	e.opened.Store(true)
	for _, d := range docs {
		if _, err := e.PutPolicy(context.Background(), "rehearsal", d, "folder", "", true); err != nil {
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
	r.work()
}

// Advance moves the clock to d, waking what falls due on the way.
func (r *Rehearsal) Advance(d time.Duration) {
	s := r.e.shards[0]
	end := int64(24*time.Hour) + int64(d)
	for len(s.due) > 0 && s.due[0].at <= end {
		r.set(max(s.due[0].at, r.now.Boot))
		s.expire(context.Background())
		r.collect()
	}
	r.set(end)
}

func (r *Rehearsal) set(boot int64) {
	r.now.Boot = boot
	r.now.Wall = rehearsalStart + (boot-int64(24*time.Hour))/1000
}

func (r *Rehearsal) work() {
	s := r.e.shards[0]
	for bs := s.take(); len(bs) > 0; bs = s.take() {
		s.round1(context.Background(), bs)
	}
	r.collect()
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
	for _, f := range r.e.firings(true) {
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

func (s *stage) Start(context.Context, uint64, Hooks) error                { return nil }
func (s *stage) Append(context.Context, *series.Batch) error               { return nil }
func (s *stage) Evaluated(uint64)                                          {}
func (s *stage) Load(context.Context) (*Snapshot, error)                   { return &Snapshot{Epoch: 1}, nil }
func (s *stage) Attempts(context.Context, int64) ([]remedy.Attempt, error) { return nil, nil }

func (s *stage) Select(context.Context, series.Selector, int64, int64) (Cursor, error) {
	return noCursor{}, nil
}

func (s *stage) Commit(_ context.Context, d *Decision) (Receipt, error) {
	var rc Receipt
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
func (s *stage) Remediations(_ context.Context, f RemediationFilter) ([]remedy.Remediation, int, error) {
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
func (s *stage) Counts(context.Context, clock.Stamp) (map[remedy.State]int, error) { return nil, nil }

// commit registers what is new and hands the batch over as the store would.
func (s *stage) commit(e *Engine, b *series.Batch, ls []series.Labels) {
	for i := range b.Items {
		fp := ls[i].Fingerprint()
		ref, ok := s.refs[fp]
		if !ok {
			ref = series.Ref(len(s.refs) + 1)
			s.refs[fp] = ref
			e.Registered(ref, series.Local(ref), ls[i])
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
