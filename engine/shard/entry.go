package shard

import (
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/match"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// Policy is one policy as it is evaluated.
type Policy struct {
	Doc              engine.PolicyDocument
	Owner            document.Owner
	Place            string
	Version          int64 // of its row in the ledger
	Created, Updated clock.Stamp
	Cond             *policy.Condition // nil when Broken
	Broken           string            // why it cannot be evaluated, "" if it can
}

// Entry is one policy in memory, or a listener. It stays the same while match
// and fire stay; P may be replaced under the shard's lock.
type Entry struct {
	Name  string
	Cond  *policy.Condition
	Shard *Shard

	// Under Shard.Mu:
	P       Policy
	Insts   map[uint64]*Instance // by fingerprint; changed by Put and Take alone
	Anchor  *Instance            // the one of them that stands for a selector that nothing matches, nil none
	Filling bool                 // windows are still to be refilled: new instances begin cold
	Inherit *Entry               // the policy before an edit that keeps its firings

	joined *match.Side[*Instance] // the instances by what joins compare; nil: the condition has none

	Firing  atomic.Int32 // instances that fire
	Causing atomic.Int32 // and those that flap: what holds back dependents of any shard
	Listen  *Listener    // not nil: it tells instead of firing
}

// NewEntry makes the entry of a policy, without instances.
func NewEntry(p Policy, s *Shard) *Entry {
	en := &Entry{Name: p.Doc.Name, Cond: p.Cond, Shard: s, P: p, Insts: map[uint64]*Instance{}}
	if p.Cond != nil && len(p.Cond.Sources) > 1 {
		en.joined = match.NewSide(func(x *Instance) series.Labels { return x.Labels })
	}
	return en
}

// Put makes an instance one of the entry's; the shard is locked.
func (en *Entry) Put(x *Instance) {
	if old := en.Insts[x.FP]; old != nil {
		en.Take(old)
	}
	en.Insts[x.FP] = x
	if en.joined != nil {
		en.joined.Add(x)
	}
}

// Take takes back what Put did; the shard is locked.
func (en *Entry) Take(x *Instance) {
	if en.Insts[x.FP] != x {
		return
	}
	delete(en.Insts, x.FP)
	if en.joined != nil {
		en.joined.Remove(x)
	}
}

// Joined lists the instances that a series of a joined source belongs to; the shard
// is locked.
func (en *Entry) Joined(source int, ls series.Labels) (out []*Instance) {
	if en.joined == nil {
		return nil
	}
	for _, x := range en.joined.Find(ls, en.Cond.Sources[source].On) {
		en.Shard.c.Count.Compared.Add(1)
		if en.Cond.Joins(source, x.Labels, ls) {
			out = append(out, x)
		}
	}
	return out
}

// Listener watches one label set (or, with Any, all that match) under a
// condition of its own and tells what it sees, instead of firing. Its windows
// hold only what is younger than After.
type Listener struct {
	Fingerprint uint64
	Any         bool
	After       clock.Stamp
	// Saw is called under the shard's lock; it must not block or call back.
	Saw func(in *policy.Instance, ev policy.Evaluation)
}

// old says whether a point of t, Unix ms, is no younger than After, for what came at
// a moment. After is seen from there, on the boot clock: where the wall clock was set
// back in between, samples carry times of before for as long.
func (l *Listener) old(t int64, came clock.Stamp) bool {
	after := l.After
	if d, same := came.Sub(after); same {
		after = came.Add(-d)
	}
	return t <= after.Millis()
}

// Tap leads from a series to a source of one instance.
type Tap struct {
	Inst   *Instance
	Source int
}

// Instance is one series (or the selector's anchor) under one policy. It belongs
// to its entry's shard and is touched under that shard's lock alone.
type Instance struct {
	En     *Entry
	In     *policy.Instance
	FP     uint64
	Labels series.Labels

	Row      engine.FiringRow // as the ledger has it (Version) with the newest State
	Seen     int64            // State.Seen of the row that the ledger has
	Kept     bool             // the ledger has what of State must survive a restart
	Dead     bool
	Cold     bool // windows not refilled yet: points wait in the backlog
	Fresh    bool // a sample since start: warm, with the refill
	Beyond   bool // a refill or a replay gave it samples of the future: the clock may have been set back since
	Remedied bool // this episode has had its remediation
	Underway bool // the one of the episode before was at work when that ended: it may be still

	// Arrived is the instance's own sample clock: when its newest sample came.
	// Silence is measured on the boot clock, so a step of the wall clock makes
	// nothing old.
	Arrived clock.Stamp

	backlog []waiting
	era     uint32
	touched uint64 // the round in which a sample touched it
	wakeAt  int64  // boot ns; 0 none
	checkAt int64  // boot ns: when a firing without a live remediation is looked at
}

type waiting struct {
	source int
	ref    series.Ref
	p      series.Point
	at     clock.Stamp
}

// NewInstance makes the instance of a label set; the shard is locked.
func NewInstance(en *Entry, ls series.Labels, cold bool) *Instance {
	in := en.Cond.Instance(ls)
	return &Instance{
		En: en, In: in, FP: ls.Fingerprint(), Labels: ls, Cold: cold, era: en.Shard.era,
		Row: engine.FiringRow{
			Policy: en.Name, Fingerprint: ls.Fingerprint(), Labels: ls, Target: in.Target,
			State: policy.Firing{State: policy.StateOK},
		},
	}
}

// IsFiring reports whether the condition counts as firing for people and for
// the expression language.
func (x *Instance) IsFiring() bool {
	s := x.Row.State.State
	return s == policy.StateFiring || s == policy.StateRecovering
}

// causes says whether what depends on the policy is held back. What flaps is no
// ground to act on: neither for its own policy nor for one below it.
func (x *Instance) causes() bool { return x.IsFiring() || x.Row.State.State == policy.StateFlapping }

// moved keeps the entry's counters after the state was another: how it counted before.
func (x *Instance) moved(fired, caused bool) {
	count := func(n *atomic.Int32, was, is bool) {
		switch {
		case is && !was:
			n.Add(1)
		case was && !is:
			n.Add(-1)
		}
	}
	count(&x.En.Firing, fired, x.IsFiring())
	count(&x.En.Causing, caused, x.causes())
}

// Now is a moment on the instance's own sample clock, in Unix ms: the newest
// sample's time and what the boot clock has gone on since it came. So neither a
// step of the wall clock nor a sender whose clock is behind makes a series old.
func (x *Instance) Now(at clock.Stamp) int64 {
	if x.Arrived.IsZero() || x.Arrived.BootID != at.BootID {
		return at.Millis()
	}
	came := x.In.Newest()
	if came == 0 {
		came = x.Arrived.Millis()
	}
	return came + (at.Boot-x.Arrived.Boot)/int64(time.Millisecond)
}

// Trusted reports whether samples of this series may lead to an act; open says
// that the daemon trusts every caller.
func (x *Instance) Trusted(open bool) bool {
	return open || x.En.P.Doc.Accept == series.OriginOpen || x.Labels.Get(series.OriginLabel) != series.OriginOpen
}

// Cause is the deepest cause that fires, "" none; the shard is locked.
func (x *Instance) Cause() string { return x.En.Shard.c.cause(x.En) }

// Restore gives the instance a state that was kept: a row, what the ledger has of it
// (Seen, Kept), and whether the episode has had its remediation; the shard is locked.
func (x *Instance) Restore(row engine.FiringRow, seen int64, kept, remedied bool, now clock.Stamp) {
	x.Row.Version, x.Row.State, x.Row.Evaluation = row.Version, row.State, row.Evaluation
	x.Seen, x.Kept, x.Remedied = seen, kept, remedied
	x.moved(false, false)
	x.En.Shard.Schedule(x, now.Add(time.Second))
}

// remediable says whether a firing leads to a remediation at all; every other
// question is a gate's, so that the answer is on record.
func (x *Instance) remediable() bool {
	d := &x.En.P.Doc
	return d.Enabled && d.Remedy != nil && d.Mode != "off" && len(d.Remedy.Ladder) > 0
}
