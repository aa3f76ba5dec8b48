package conform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"sync"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// desk is a second ledger, of plain maps, so that the suite is of no one store. What
// is kept is one value that is replaced when a change is good: nothing of it is on
// a disk. bug is planted into it by name.
type desk struct {
	bug string

	mu    sync.Mutex
	kept  *rows
	calls int
	fail  int // the call that fails first; 0 none
}

type begun struct {
	at               clock.Stamp
	unclean, stopped bool
}

type firingKey struct {
	policy      string
	fingerprint uint64
}

type done struct {
	remedy.Attempt
	policy, kind string
}

// rows is all there is.
type rows struct {
	position uint64
	last     int64 // remediation
	starts   []begun

	policies     map[string]engine.PolicyRow
	firings      map[firingKey]engine.FiringRow
	holds        map[string]engine.Hold
	remediations map[int64]remedy.Remediation
	attempts     []done
	budget       remedy.Budget
	storm        clock.Stamp
	breakers     map[string]remedy.Breaker
	pruned       audit.Head
	audit        []audit.Record
	tokens       map[string]engine.Token
	replays      []engine.Replay

	revisions                         map[int64]engine.Revision
	resources                         map[string]engine.Resource
	drifts                            map[int64]engine.Drift
	suspends                          map[string]engine.Suspend
	undo                              map[int64]engine.Undo
	checks                            []engine.CheckRow
	entries                           []engine.EntryRow
	lastRevision, lastDrift, lastUndo int64
}

func (s *rows) clone() *rows {
	n := *s
	n.starts, n.attempts, n.audit, n.replays = slices.Clone(s.starts), slices.Clone(s.attempts), slices.Clip(s.audit), slices.Clone(s.replays)
	n.policies, n.firings, n.holds, n.remediations = maps.Clone(s.policies), maps.Clone(s.firings), maps.Clone(s.holds), maps.Clone(s.remediations)
	n.breakers, n.tokens, n.revisions, n.resources = maps.Clone(s.breakers), maps.Clone(s.tokens), maps.Clone(s.revisions), maps.Clone(s.resources)
	n.drifts, n.suspends, n.undo = maps.Clone(s.drifts), maps.Clone(s.suspends), maps.Clone(s.undo)
	return &n
}

func (s *rows) head() audit.Head {
	if len(s.audit) == 0 {
		return s.pruned
	}
	return s.audit[len(s.audit)-1].Head()
}

func newDesk(bug string) *desk {
	return &desk{bug: bug, kept: &rows{
		policies: map[string]engine.PolicyRow{}, firings: map[firingKey]engine.FiringRow{}, holds: map[string]engine.Hold{},
		remediations: map[int64]remedy.Remediation{}, breakers: map[string]remedy.Breaker{}, tokens: map[string]engine.Token{},
		revisions: map[int64]engine.Revision{}, resources: map[string]engine.Resource{}, drifts: map[int64]engine.Drift{},
		suspends: map[string]engine.Suspend{}, undo: map[int64]engine.Undo{},
	}}
}

// store is one run on a desk.
type store struct {
	*desk
	now    clock.Clock
	start  *rows                // as it was at the start
	counts map[remedy.State]int // of one of the bugs
}

func (d *desk) Open(now clock.Clock) (stand.Store, error) {
	s := &store{desk: d, now: now}
	err := s.write(context.Background(), func(t *tx) error {
		b := begun{at: now()}
		if n := len(t.starts); n > 0 {
			b.unclean = !t.starts[n-1].stopped || d.bug == "each start is an unclean one"
		}
		if t.starts = append(t.starts, b); b.unclean {
			t.chain(audit.Record{At: b.at, Actor: "vigild", Verb: "vigild.unclean_start", Object: "vigild"})
		}
		if d.bug == "a breaker is forgotten at the start" {
			clear(t.breakers)
		}
		return nil
	})
	s.start = s.read()
	return s, err
}

func (d *desk) Crash(s stand.Store) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = 0
	if d.bug == "an answer before it is kept" {
		d.kept = s.(*store).start
	}
	return nil
}

func (d *desk) Fail(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail, d.calls = n, 0
}

func (d *desk) broken() bool {
	d.calls++
	return d.fail > 0 && d.calls >= d.fail
}

func (s *store) Close() error {
	return s.write(context.Background(), func(t *tx) error { t.starts[len(t.starts)-1].stopped = true; return nil })
}

// tx is one change: a copy that takes the place of what is kept when it is good.
type tx struct {
	*rows
	bug string
}

func (s *store) read() *rows { s.mu.Lock(); defer s.mu.Unlock(); return s.kept }

func (s *store) write(ctx context.Context, change func(*tx) error) (err error) {
	if ctx.Err() != nil && s.bug != "who is gone is served" {
		return fault.Wrap(fault.Cancelled, ctx.Err(), "writing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken() {
		if s.bug == "a failure is not told" {
			return nil
		}
		return fault.New(fault.Unavailable, "it cannot be written")
	}
	t := &tx{s.kept.clone(), s.bug}
	defer func() {
		if r := recover(); r != nil {
			err = fault.New(fault.Internal, "a change panicked: %v", r)
		}
		failed := err == nil && s.broken()
		if failed {
			err = fault.New(fault.Unavailable, "it cannot be written")
		}
		switch {
		case err == nil, s.bug == "what was refused is half there" && !failed:
			s.kept = t.rows
		case failed && s.bug == "what failed is half there":
			clear(t.holds)
			s.kept = t.rows
		}
	}()
	return change(t)
}

// within says whether something takes no more than a bound as JSON.
func (t *tx) within(what string, max int, vs ...any) error {
	for _, v := range vs {
		if b, err := json.Marshal(v); err != nil || len(b) > max && t.bug != "nothing is too large" {
			return fault.New(fault.TooLarge, "%s takes more than %d bytes", what, max)
		}
	}
	return nil
}

func (t *tx) chain(rs ...audit.Record) {
	for _, r := range rs {
		h := t.head()
		r.Seq = h.Seq + 1
		if len(r.Evidence) == 0 {
			r.Evidence = nil
		}
		t.audit = append(t.audit, audit.Seal(h.Hash, r))
	}
}

func (s *store) Epoch() int64 { return 1 }

func (s *store) AuditHead() audit.Head { return s.read().head() }

// another waits until somebody has written, if anybody does, for the bugs that need it.
func (s *store) another(was *rows) {
	for n := 0; n < 10_000 && s.read() == was; n++ {
		runtime.Gosched()
	}
}

func (s *store) Load(context.Context) (*engine.Snapshot, error) {
	r := s.read()
	out := &engine.Snapshot{Position: r.position, Epoch: 1}
	if s.bug == "a snapshot of two moments" {
		s.another(r)
		r = s.read()
	}
	for _, k := range slices.Sorted(maps.Keys(r.policies)) {
		out.Policies = append(out.Policies, r.policies[k])
	}
	for _, f := range r.firings {
		out.Firings = append(out.Firings, f)
	}
	slices.SortFunc(out.Firings, func(a, b engine.FiringRow) int {
		return bytes.Compare([]byte(a.Policy+a.Target), []byte(b.Policy+b.Target))
	})
	for _, k := range slices.Sorted(maps.Keys(r.holds)) {
		if h := r.holds[k]; h.Ended.IsZero() {
			if s.bug == "the zone of a hold is forgotten" {
				h.Zone = ""
			}
			out.Holds = append(out.Holds, h)
		}
	}
	for _, b := range r.starts {
		if b.unclean {
			out.UncleanStarts = append(out.UncleanStarts, b.at)
		}
	}
	out.UncleanStarts = out.UncleanStarts[max(0, len(out.UncleanStarts)-10):]
	return out, nil
}

// find lists remediations, oldest first.
func (r *rows) find(which func(remedy.Remediation) bool) (out []remedy.Remediation) {
	for _, id := range slices.Sorted(maps.Keys(r.remediations)) {
		if m := r.remediations[id]; which(m) {
			out = append(out, m)
		}
	}
	return out
}
