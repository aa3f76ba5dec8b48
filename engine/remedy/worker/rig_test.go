package worker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/worker"
)

// rig is a worker on a real ledger, in the time of a synctest bubble: hours
// pass at once when nobody has anything to do.
type rig struct {
	*testing.T
	l     *ledger.Ledger
	cfg   remedy.Config
	judge *judge
	acts  *acts
	wake  chan struct{}
	clock clock.Clock
	face  remedy.Ledger // what the worker is given; l, or something around it

	actions remedy.Actions // acts, unless runWith says otherwise
	capture remedy.Capturer
	ended   func(remedy.Remediation)

	w    *worker.Worker
	stop func()
}

func inBubble(t *testing.T, story func(*rig)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := &rig{T: t, cfg: remedy.Defaults(), judge: &judge{}, acts: &acts{m: map[string]*act{}}, wake: make(chan struct{}, 1)}
		r.clock = func() clock.Stamp {
			now := time.Now()
			return clock.Stamp{Wall: now.UnixMicro(), Boot: int64(100*time.Hour + now.Sub(start)), BootID: "boot-a"}
		}
		r.judge.clock = r.clock
		r.cfg.Cooldown = 0
		c := ledger.Defaults()
		c.Dir, c.BallastMB = dir, 0
		var err error
		if r.l, err = ledger.Open(c, ledger.Deps{Clock: r.clock, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		defer r.l.Close()
		r.face = r.l
		story(r)
		r.halt()
		r.chain()
	})
}

// run starts the worker; halt stops it and waits for its end.
func (r *rig) run() {
	r.Helper()
	if r.actions == nil {
		r.actions = r.acts
	}
	w, err := worker.New(r.cfg, worker.Deps{
		Ledger: r.face, Judge: r.judge, Actions: r.actions, Capture: r.capture, Clock: r.clock, Wake: r.wake,
		Log: slog.New(slog.DiscardHandler), Jitter: func() float64 { return 1 }, Ended: r.ended,
	})
	if err != nil {
		r.Fatal(err)
	}
	r.w = w
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			r.Errorf("Run: %v", err)
		}
	}
}

func (r *rig) halt() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// pass lets time go by and everybody come to rest.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *rig) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// queue writes remediations as the engine would, and nudges.
func (r *rig) queue(rs ...remedy.Remediation) []int64 {
	r.Helper()
	for i := range rs {
		if rs[i].Source == "" {
			rs[i].Source, rs[i].Policy = remedy.FromPolicy, "p"
		}
		rs[i].State, rs[i].Created, rs[i].Priority, rs[i].Severity = remedy.Queued, r.clock(), "medium", "warning"
	}
	got, err := r.l.Commit(context.Background(), &engine.Decision{At: r.clock(), Remediations: rs})
	if err != nil {
		r.Fatal(err)
	}
	r.nudge()
	return got.Remediations
}

func (r *rig) read(id int64) remedy.Remediation {
	r.Helper()
	x, err := r.l.Remediation(context.Background(), id)
	if err != nil {
		r.Fatal(err)
	}
	return x
}

func (r *rig) want(id int64, s remedy.State) remedy.Remediation {
	r.Helper()
	x := r.read(id)
	if x.State != s {
		r.Fatalf("remediation %d is %s (gate %q, %s; %s), want %s", id, x.State, x.Gate, x.Reason, x.Error, s)
	}
	return x
}

// apply commits a person's verb.
func (r *rig) apply(x remedy.Remediation, m remedy.Move, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
	if _, err := r.l.Commit(context.Background(), &engine.Decision{At: r.clock(), Moves: []engine.RemediationMove{{Version: x.Version, Move: m}}}); err != nil {
		r.Fatal(err)
	}
	r.nudge()
}

// told are the audited verbs about a remediation and its attempts, in order.
func (r *rig) told(id int64) string {
	r.Helper()
	as, err := r.l.Attempts(context.Background(), id)
	if err != nil {
		r.Fatal(err)
	}
	objects := []string{"remediation:" + json.Number(itoa(id)).String()}
	for _, a := range as {
		if a.Finished.IsZero() {
			r.Errorf("attempt %s lies open", a.ID())
		}
		objects = append(objects, "attempt:"+a.ID())
	}
	rs, err := r.l.AuditAbout(context.Background(), objects, 1000)
	if err != nil {
		r.Fatal(err)
	}
	var vs []string
	for _, x := range rs {
		vs = append(vs, x.Verb)
	}
	return strings.Join(vs, " ")
}

// chain verifies the whole audit chain.
func (r *rig) chain() {
	r.Helper()
	v := audit.NewVerifier(audit.Head{})
	rs, err := r.l.Audit(context.Background(), 0, "", 10_000)
	if err != nil {
		r.Fatal(err)
	}
	for _, x := range rs {
		if err := v.Next(x); err != nil {
			r.Fatal(err)
		}
	}
}

// leave claims as a worker does and then forgets it, as a crash would.
func (r *rig) leave(id int64, class remedy.Class) remedy.Attempt {
	r.Helper()
	rules, err := decide.New(r.cfg)
	if err != nil {
		r.Fatal(err)
	}
	x := r.read(id)
	q, err := x.Request()
	if err != nil {
		r.Fatal(err)
	}
	f, _ := r.judge.Facts(context.Background(), x, remedy.Spec{})
	f.Spec = remedy.Spec{Subject: "s:" + q.Action, Kind: "test", Class: class}
	m, err := r.l.Claim(context.Background(), remedy.Claim{ID: id, Version: x.Version, Now: r.clock(), Query: rules.Lookback(&x, f.Spec),
		Decide: func(x remedy.Remediation, h remedy.History) remedy.Move {
			return rules.Decide(x, h, decide.Case{Request: q, Facts: f, Epoch: r.l.Epoch(), Now: r.clock()})
		}})
	if err != nil || m.Open == nil {
		r.Fatalf("%+v %v", m.Verdict, err)
	}
	return *m.Open
}

func itoa(n int64) string { b, _ := json.Marshal(n); return string(b) }

func rung(action string) remedy.Rung { return remedy.Rung{Action: action} }

func plan(actions ...string) remedy.Plan {
	var p remedy.Plan
	for _, a := range actions {
		p.Ladder = append(p.Ladder, rung(a))
	}
	p.Limit = &remedy.Limit{Max: 1000, Per: document.Duration(time.Hour)}
	zero := 0.0
	p.Cost = &zero
	return p
}

// judge is the engine's part: what holds, and how a verification goes.
type judge struct {
	mu    sync.Mutex
	clock clock.Clock
	facts func(remedy.Remediation, *remedy.Facts)
	good  func(remedy.Remediation) bool // nil: every remedy helps
	fails error
}

func (j *judge) set(f func()) { j.mu.Lock(); defer j.mu.Unlock(); f() }

func (j *judge) Facts(_ context.Context, r remedy.Remediation, s remedy.Spec) (remedy.Facts, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := remedy.Facts{At: j.clock(), Holds: 1, Warm: true, Trusted: true, Spec: s}
	if j.facts != nil {
		j.facts(r, &f)
	}
	return f, nil
}

func (j *judge) Verify(ctx context.Context, r remedy.Remediation, after, deadline clock.Stamp) (remedy.Verification, error) {
	if j.fails != nil {
		return remedy.Verification{}, j.fails
	}
	for {
		now := j.clock()
		j.mu.Lock()
		good := j.good == nil || j.good(r)
		j.mu.Unlock()
		if now.Reached(after) && good {
			return remedy.Verification{OK: true, Reason: "it is well"}, nil
		}
		if now.Reached(deadline) {
			return remedy.Verification{Reason: "still bad"}, nil
		}
		select {
		case <-ctx.Done():
			return remedy.Verification{}, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// acts is a catalogue of acts that are Go functions.
type acts struct {
	mu sync.Mutex
	m  map[string]*act
}

type act struct {
	spec  remedy.Spec
	run   func(context.Context, remedy.Request) (remedy.Result, error)
	fails error // of Resolve
	mu    sync.Mutex
	runs  []remedy.Request
	swept []string // attempts after which was tidied up
	now   int
	most  int // at one time
}

// Sweep makes it a Sweeper.
func (a *act) Sweep(_ context.Context, q remedy.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.swept = append(a.swept, q.Attempt)
	return nil
}

func (a *acts) add(name string, class remedy.Class, run func(context.Context, remedy.Request) (remedy.Result, error)) *act {
	if run == nil {
		run = func(context.Context, remedy.Request) (remedy.Result, error) { return remedy.Result{OK: true}, nil }
	}
	x := &act{spec: remedy.Spec{Subject: "s:" + name, Kind: "test", Class: class, Summary: "do " + name, Timeout: time.Minute}, run: run}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.m[name] = x
	return x
}

func (a *acts) Action(name string) (remedy.Action, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x, ok := a.m[name]
	return x, ok
}

func (a *acts) Names() []string { return nil }

func (x *act) Resolve(q remedy.Request) (remedy.Spec, error) {
	s := x.spec
	if path, ok := q.With["path"].(string); ok {
		s.Subject = "file:" + path
	}
	return s, x.fails
}

func (x *act) Run(ctx context.Context, q remedy.Request) (remedy.Result, error) {
	x.mu.Lock()
	x.runs = append(x.runs, q)
	x.now++
	x.most = max(x.most, x.now)
	x.mu.Unlock()
	defer func() { x.mu.Lock(); x.now--; x.mu.Unlock() }()
	return x.run(ctx, q)
}

func (x *act) ran() int { x.mu.Lock(); defer x.mu.Unlock(); return len(x.runs) }

// probed is an act that can be asked.
type probed struct {
	*act
	done bool
	err  error
}

func (p probed) Done(context.Context, remedy.Request) (bool, error) { return p.done, p.err }

// shaky is a ledger that fails as often as it is told to.
type shaky struct {
	remedy.Ledger
	mu             sync.Mutex
	claims, ends   int
	claimed, ended int
}

func (s *shaky) Claim(ctx context.Context, c remedy.Claim) (remedy.Move, error) {
	s.mu.Lock()
	s.claimed++
	bad := s.claimed <= s.claims
	s.mu.Unlock()
	if bad {
		return remedy.Move{}, fault.New(fault.Unavailable, "the disk is full")
	}
	return s.Ledger.Claim(ctx, c)
}

func (s *shaky) Apply(ctx context.Context, v int64, m remedy.Move) error {
	s.mu.Lock()
	s.ended++
	bad := s.ended <= s.ends
	s.mu.Unlock()
	if bad {
		return fault.New(fault.Unavailable, "the disk is full")
	}
	return s.Ledger.Apply(ctx, v, m)
}

// withProbe answers for one action with one that can be asked.
type withProbe struct {
	*acts
	p probed
}

func (w withProbe) Action(string) (remedy.Action, bool) { return w.p, true }

// capturing marks a run in which evidence is taken.
type capturing struct{ *acts }

func (capturing) Capture(_ context.Context, subject string) json.RawMessage {
	return json.RawMessage(`{"subject":"` + subject + `"}`)
}

// runWith runs with another set of actions, and takes evidence if it can.
func (r *rig) runWith(a remedy.Actions) {
	r.actions = a
	r.capture, _ = a.(remedy.Capturer)
	r.run()
}
