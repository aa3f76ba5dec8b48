package vigilsim

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vigil/engine/ledger"
	"vigil/engine/remedy"
)

const every = 20 * time.Second // between two rounds of samples

// failure is what is wrong with a service, and what ends it.
type failure struct {
	kind   string
	slow   bool           // it answers slowly; else it is down
	heals  map[string]int // how many acts of a verb it takes
	delay  time.Duration  // from the act that heals to health
	firm   time.Time      // before this nothing helps
	itself time.Time      // when it goes by itself; zero: never
	period time.Duration  // flapping: half of a cycle
	began  time.Time
	healed time.Time // zero: not yet
}

// over says whether a failure has ended.
func (f *failure) over(at time.Time) bool {
	return !f.healed.IsZero() && !at.Before(f.healed) || !f.itself.IsZero() && !at.Before(f.itself)
}

// bad says whether it shows at this moment.
func (f *failure) bad(at time.Time) bool {
	return f.period == 0 || at.Sub(f.began)/f.period%2 == 0
}

// service is one thing that can break.
type service struct {
	name   string
	fails  *failure
	mute   time.Time // no samples until then
	acting string    // the attempt at work on it, "" none
	log    []sample  // what was said of it, oldest first
}

// sample is one round: how it was then.
type sample struct {
	at   time.Time
	wall int64 // Unix ms, as it was sent
	life int
	up   bool
	slow bool
}

// act is one act that began.
type act struct {
	attempt  string
	id       int64
	n        int
	life     int
	verb     string
	subject  string
	policy   string
	target   string
	rung     int
	cost     float64
	claimed  time.Time
	began    time.Time
	ended    time.Time // zero: under way
	finished bool      // the daemon heard its end
}

// world is what a simulation's daemon heals, and the watcher of what it does.
type world struct {
	mu       sync.Mutex
	seed     uint64
	clocks   *clocks
	rules    rules
	services []*service
	acts     []*act
	life     int       // number of the daemon's life; 0 none runs
	began    time.Time // of this life
	ledger   *ledger.Ledger
	dead     chan struct{} // closed when this life is killed
	holds    []*held
	jumps    []time.Time
	yes      map[int64]bool // remediations that a person approved
	word     map[int64]bool // indeterminate ones: true once somebody said a word
	off      map[string]bool
	bucket   float64
	filled   time.Time
	unclean  []time.Time // starts after a kill
	safe     time.Time   // nothing is acted on until then
	quirks   bool        // acts fail, hang and cannot be started now and then
	bad      []string
	story    []string
}

func newWorld(seed uint64, c *clocks, r rules) *world {
	w := &world{seed: seed, clocks: c, rules: r, yes: map[int64]bool{}, word: map[int64]bool{}, off: map[string]bool{}, quirks: true}
	w.bucket, w.filled = r.conf.Budget.Points, time.Now()
	for _, n := range []string{"db", "web", "api", "mail", "auth", "jobs", "pay", "log"} {
		w.services = append(w.services, &service{name: n})
	}
	return w
}

func (w *world) service(name string) *service {
	i := slices.IndexFunc(w.services, func(s *service) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return w.services[i]
}

// say notes a violation; w.mu is held.
func (w *world) say(format string, args ...any) {
	w.bad = append(w.bad, w.stamp()+" "+fmt.Sprintf(format, args...))
	w.tell("VIOLATION "+format, args...)
}

// tell is one line of what happened; w.mu is held.
func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, w.stamp()+" "+fmt.Sprintf(format, args...))
}

func (w *world) stamp() string {
	return time.Now().Format("02 15:04:05.000")
}

// state is how a service is at this moment. w.mu is held.
func (w *world) state(s *service, at time.Time) (up, slow bool) {
	if s.fails != nil && s.fails.over(at) {
		w.tell("%s is well again (%s)", s.name, s.fails.kind)
		s.fails = nil
	}
	if s.acting != "" {
		return false, false
	}
	if s.fails == nil || !s.fails.bad(at) {
		return true, false
	}
	return s.fails.slow, s.fails.slow
}

// round is one round of samples. It counts as said from here on, since an act may
// follow before its answer; lost takes it back.
func (w *world) round() (ps []point, lost func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, wall := time.Now(), w.clocks.now().Millis()
	got := map[*service]sample{}
	for _, s := range w.services {
		up, slow := w.state(s, at)
		if at.Before(s.mute) {
			continue
		}
		got[s] = sample{at, wall, w.life, up, slow}
		v, l := 1.0, 0.1
		if !up {
			v = 0
		}
		if slow {
			l = 5
		}
		ps = append(ps, point{"svc_up", s.name, wall, v}, point{"svc_latency", s.name, wall, l})
	}
	for s, x := range got {
		s.log = append(s.log, x)
	}
	return ps, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for s, x := range got {
			s.log = slices.DeleteFunc(s.log, func(o sample) bool { return o == x })
		}
	}
}

// luck is a number in [0, 1) that follows from the seed and a name alone.
func (w *world) luck(what ...string) float64 {
	h := fnv.New64a()
	h.Write([]byte(strings.Join(what, "|")))
	return rand.New(rand.NewPCG(w.seed, h.Sum64())).Float64()
}

// verb is one kind of act on a world.
type verb struct {
	w     *world
	name  string
	class remedy.Class
	cost  float64
}

// Action finds a verb; it makes the world remedy.Actions.
func (w *world) Action(name string) (remedy.Action, bool) {
	v := verb{w: w, name: name}
	switch name {
	case "restart":
		v.class, v.cost = remedy.Probed, 2
	case "reload":
		v.class, v.cost = remedy.Convergent, 1
	case "reset":
		v.class, v.cost = remedy.Unsafe, 3
	case "notify":
		v.class = remedy.Convergent
	default:
		return nil, false
	}
	return v, true
}

func (w *world) Names() []string { return []string{"notify", "reload", "reset", "restart"} }

func (v verb) Resolve(r remedy.Request) (remedy.Spec, error) {
	s := remedy.Spec{Subject: "svc:" + r.Target, Kind: v.name, Class: v.class, Cost: v.cost, Timeout: 30 * time.Second, Summary: v.name + " " + r.Target}
	if v.name == "notify" {
		s.Subject, s.Waits = "notify:oncall", true
	}
	return s, nil
}

// Run acts: the effect comes half-way, and a daemon that dies before hears of none.
func (v verb) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	w := v.w
	luck := 1.0
	if w.quirks {
		luck = w.luck("quirk", r.Attempt)
	}
	if luck < 0.03 {
		return remedy.Result{}, fmt.Errorf("the world would not begin %s", r.Attempt)
	}
	a, dead := w.begin(v, r)
	if a == nil { // the daemon is dead already
		return remedy.Result{}, remedy.ErrLeft
	}
	half := time.Duration((0.5 + 4*w.luck("takes", r.Attempt)) * float64(time.Second))
	if luck < 0.06 {
		half = time.Minute // longer than it may
	}
	for step := range 2 {
		t := time.NewTimer(half)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			w.end(a)
			return remedy.Result{Error: "it took too long", TimedOut: true}, nil
		case <-dead:
			t.Stop()
			return remedy.Result{}, remedy.ErrLeft
		}
		if step == 0 && luck >= 0.12 {
			w.effect(a)
		}
	}
	w.end(a)
	if luck < 0.12 {
		return remedy.Result{Error: "it failed"}, nil
	}
	return remedy.Result{OK: true}, nil
}

// Done is the probe of a restart.
func (v verb) Done(_ context.Context, r remedy.Request) (bool, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	for _, a := range v.w.acts {
		if a.attempt == r.Attempt {
			return a.finished, nil
		}
	}
	return false, nil
}

// begin watches an act begin.
func (w *world) begin(v verb, r remedy.Request) (*act, <-chan struct{}) {
	parts := strings.Split(r.Attempt, "-")
	id, _ := strconv.ParseInt(parts[1], 10, 64)
	n, _ := strconv.Atoi(parts[2])
	onDisk := w.recorded(id, n)
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.dead:
		return nil, nil
	default:
	}
	spec, _ := v.Resolve(r)
	now := time.Now()
	a := &act{
		attempt: r.Attempt, id: id, n: n, life: w.life, verb: v.name, subject: spec.Subject, policy: r.Policy, target: r.Target,
		rung: r.Rung, cost: spec.Cost, claimed: w.clocks.when(r.Started), began: now,
	}
	if !onDisk {
		w.say("%s %s began without an open attempt on disk", a.verb, a.attempt)
	}
	w.tell("%s %s of %s begins (rung %d, attempt %s)", a.verb, a.target, r.Policy, a.rung, a.attempt)
	w.watch(a)
	w.acts = append(w.acts, a)
	if s := w.service(r.Target); s != nil && v.name != "notify" && v.name != "reload" {
		s.acting = a.attempt
	}
	return a, w.dead
}

// recorded says whether an attempt is open on disk.
func (w *world) recorded(id int64, n int) bool {
	w.mu.Lock()
	l := w.ledger
	w.mu.Unlock()
	as, err := l.Attempts(context.Background(), id)
	return err == nil && slices.ContainsFunc(as, func(a remedy.Attempt) bool { return a.N == n && a.Finished.IsZero() })
}

// effect is what an act does to the world.
func (w *world) effect(a *act) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.finished = true
	s := w.service(a.target)
	if s == nil || s.fails == nil || a.verb == "notify" {
		return
	}
	f, now := s.fails, time.Now()
	need, ok := f.heals[a.verb]
	if !ok || now.Before(f.firm) || !f.healed.IsZero() {
		return
	}
	if need--; need > 0 {
		f.heals[a.verb] = need
		return
	}
	f.healed = now.Add(f.delay)
}

func (w *world) end(a *act) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.life != w.life {
		return
	}
	a.ended = time.Now()
	if s := w.service(a.target); s != nil && s.acting == a.attempt {
		s.acting = ""
	}
}

// born is called when a life has opened its ledger, before anything acts.
func (w *world) born(l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.life++
	w.began, w.ledger, w.dead = time.Now(), l.ledger, make(chan struct{})
	w.safe = time.Time{}
	n := 0
	for _, at := range w.unclean {
		if w.began.Sub(at) <= 10*time.Minute {
			n++
		}
	}
	if n >= 3 && !w.jumpedSince(w.began.Add(-time.Hour)) {
		w.safe = w.began.Add(30 * time.Minute)
	}
}

// die is the end of a life: what it was about to do never happens.
func (w *world) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.acts {
		if a.ended.IsZero() {
			a.ended = time.Now()
			w.tell("%s dies with the daemon (done: %v)", a.attempt, a.finished)
			if a.verb == "reset" {
				w.word[a.id] = false
			}
		}
	}
	for _, s := range w.services {
		s.acting = ""
	}
	close(w.dead)
	w.life++ // nothing of the dead life counts
}
