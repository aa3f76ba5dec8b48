package vigilsim

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// sim is one simulation: a world, a daemon that lives and dies, and a script.
type sim struct {
	t      *testing.T
	seed   uint64
	rand   *rand.Rand // of what is drawn while it runs, by the driver alone
	root   string
	lives  int
	house  *house
	world  *world
	life   *life // nil while the daemon is down
	gap    time.Duration
	up     time.Time // when it is to be started again
	texts  []string
	last   time.Time // of the last round
	looked time.Time
	counts tally
	swayed map[int64]bool // remediations that a person said a word about
}

// tally is what a simulation consisted of.
type tally struct {
	Acts, Lives, Kills, Reboots, Rounds, Records, Firings, Remediations int
	Simulated                                                           time.Duration
}

func (a *tally) add(b tally) {
	a.Acts += b.Acts
	a.Lives += b.Lives
	a.Kills += b.Kills
	a.Reboots += b.Reboots
	a.Rounds += b.Rounds
	a.Records += b.Records
	a.Firings += b.Firings
	a.Remediations += b.Remediations
	a.Simulated += b.Simulated
}

// simulate lives through so much time by the script of a seed, and then until all is
// well again. It returns what was wrong, the story, and what there was of everything.
func simulate(t *testing.T, seed uint64, span time.Duration, p plant) (bad, story []string, n tally) {
	root := room(t)
	defer os.RemoveAll(root)
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 1))
		conf := configured(r)
		if p.conf != nil {
			p.conf(&conf)
		}
		c := newClocks()
		texts, ts := policies(r, &conf)
		w := newWorld(seed, c, rules{conf: conf, terms: ts, grace: engine.Defaults().BootGrace})
		var mu sync.Mutex
		jitter := rand.New(rand.NewPCG(seed, 2))
		s := &sim{
			t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 3)), root: root, world: w, texts: texts, swayed: map[int64]bool{},
			house: &house{clocks: c, acts: w, conf: conf, log: io.Discard, plant: p, born: w.born, jitter: func() float64 {
				mu.Lock()
				defer mu.Unlock()
				return jitter.Float64()
			}},
		}
		var names []string
		for _, x := range w.services {
			names = append(names, x.name)
		}
		s.run(script(r, span, names, p.more), span)
		bad, story, n = w.bad, w.story, s.counts
	})
	return bad, story, n
}

// run lives through the script and what follows.
func (s *sim) run(es []event, span time.Duration) {
	began := time.Now()
	defer func() {
		s.counts.Simulated = time.Since(began)
		if s.life != nil {
			s.life.door.arm("", 0)
			s.err("stopping", s.life.stop())
		}
	}()
	if !s.begin() {
		return
	}
	s.putAll()
	for _, e := range es {
		if !s.until(began.Add(e.at)) {
			return
		}
		s.tell("%s", e.what)
		e.do(s)
		if s.given() {
			return
		}
	}
	if s.until(began.Add(span)) && s.calm() {
		s.end()
	}
}

// given says that enough was found: what follows from the first is of no interest.
func (s *sim) given() bool {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return len(s.world.bad) > 0
}

func (s *sim) tell(format string, args ...any) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.tell(format, args...)
}

func (s *sim) say(format string, args ...any) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.say(format, args...)
}

func (s *sim) err(doing string, err error) {
	if err != nil {
		s.say("%s: %v", doing, err)
	}
}

// begin starts the daemon on the folder that is.
func (s *sim) begin() bool {
	dir := folder(s.root, s.lives)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.err("a folder", err)
		return false
	}
	l, err := s.house.begin(dir)
	if err != nil {
		s.err("the daemon does not start", err)
		return false
	}
	s.life = l
	s.counts.Lives++
	return true
}

// until goes on to a moment: rounds of samples, deaths and starts on the way. False:
// enough was found.
func (s *sim) until(at time.Time) bool {
	for {
		next := s.last.Add(every)
		if s.life == nil && s.up.Before(next) {
			next = s.up
		}
		if at.Before(next) {
			next = at
		}
		if s.pass(next) {
			s.fell(false)
			continue
		}
		now := time.Now()
		if s.life == nil && !now.Before(s.up) && !s.begin() {
			return false
		}
		if !now.Before(s.last.Add(every)) {
			s.last = now
			s.round()
		}
		if !now.Before(s.looked.Add(lookEvery)) {
			s.looked = now
			s.look()
		}
		if s.given() {
			return false
		}
		if !now.Before(at) {
			return true
		}
	}
}

// pass waits until a moment; true: the daemon died on the way.
func (s *sim) pass(at time.Time) bool {
	var died chan struct{}
	if s.life != nil {
		died = s.life.door.died
	}
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-died:
		return true
	case <-t.C:
	}
	return false
}

// call is something that a person or a check asks of the daemon, which may die of it.
func (s *sim) call(doing string, f func(ctx context.Context, l *life) error) bool {
	if s.life == nil {
		return false
	}
	l, done := s.life, make(chan error, 1)
	go func() { done <- f(context.Background(), l) }()
	select {
	case err := <-done:
		if err != nil && l.door.shut.Load() {
			s.fell(false)
			return false
		}
		if err != nil {
			s.tell("%s is refused: %v", doing, err)
		}
		return err == nil
	case <-l.door.died:
		s.fell(false)
		<-done
		return false
	}
}

// round is one round of samples.
func (s *sim) round() {
	ps, lost := s.world.round()
	if s.life == nil || len(ps) == 0 {
		lost()
		return
	}
	s.counts.Rounds++
	refused := 0
	ok := s.call("ingest", func(ctx context.Context, l *life) (err error) {
		refused, err = l.push(ctx, ps)
		return err
	})
	if !ok {
		lost()
	}
	if refused > 0 {
		s.say("%d of %d samples are refused", refused, len(ps))
	}
}

// fell is the death of the daemon: the door is shut, and what goes on inside comes to
// rest before the folder is taken as it is.
func (s *sim) fell(reboot bool) {
	l := s.life
	l.door.close()
	synctest.Wait()
	s.world.die()
	want := map[int64]int64{}
	l.door.acked.Range(func(id, version any) bool {
		want[id.(int64)] = version.(int64)
		return true
	})
	head := l.ledger.AuditHead()
	s.lives++
	s.err("killing", l.kill(folder(s.root, s.lives)))
	s.life = nil
	s.counts.Kills++
	s.tell("the daemon is dead")
	gap := s.gap
	if reboot {
		s.counts.Reboots++
		gap = max(gap, time.Minute)
	}
	s.gap = 0
	s.pause(gap)
	if reboot {
		s.house.clocks.reboot(fmt.Sprintf("boot-%d", s.lives))
	}
	s.world.mu.Lock()
	s.world.unclean = append(s.world.unclean, time.Now())
	s.world.mu.Unlock()
	if !s.begin() {
		return
	}
	s.tell("the daemon lives again")
	ctx := context.Background()
	for id, version := range want {
		if r, err := s.life.ledger.Remediation(ctx, id); err != nil || r.Version < version {
			s.say("remediation %d was acknowledged at version %d; after the kill: %d, %v", id, version, r.Version, err)
		}
	}
	if rs, err := s.life.ledger.Audit(ctx, head.Seq-1, "", 1); head.Seq > 0 && (err != nil || len(rs) != 1 || rs[0].Hash != head.Hash) {
		s.say("audit record %d was acknowledged and is not there after the kill: %v", head.Seq, err)
	}
}

// pause is time with no daemon: rounds of samples go nowhere.
func (s *sim) pause(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(every, time.Until(end)))
		if now := time.Now(); !now.Before(s.last.Add(every)) {
			s.last = now
			s.round()
		}
	}
}

// calm ends all that is wrong from outside: what is broken can be mended by a restart
// now, nobody holds anything, and what nobody saw is judged. It waits until all is well.
func (s *sim) calm() bool {
	s.tell("calm")
	w := s.world
	w.mu.Lock()
	w.quirks = false
	for _, x := range w.services {
		x.mute = time.Time{}
		if f := x.fails; f != nil {
			x.fails = &failure{kind: "calm", heals: map[string]int{"restart": 1, "reload": 1}, began: f.began}
			if x.name == "log" || x.name == "pay" {
				x.fails.itself = time.Now() // nobody acts on them
			}
		}
	}
	w.mu.Unlock()
	for _, p := range []string{"slow", "down", "ask", "db-down"} {
		s.enable(p, true)
	}
	for _, k := range []string{"pause", "silence", "hands_off"} {
		s.release(k, "")
	}
	bound := s.house.conf.GaveUpCap.Std() + s.house.conf.Break.Cap.Std() + 4*time.Hour
	for end := time.Now().Add(bound); ; {
		if !s.until(time.Now().Add(2 * time.Minute)) {
			return false
		}
		s.judge(true)
		s.again()
		left := s.unwell()
		if left == "" {
			s.tell("all is well")
			return true
		}
		if time.Now().After(end) {
			s.say("not well %s after the last fault: %s", bound, left)
			return false
		}
	}
}

// again takes back what people said: what they cancelled, or called failed, stays so as
// long as its firing lasts.
func (s *sim) again() {
	s.call("retry", func(ctx context.Context, l *life) error {
		rs, _, err := l.ledger.Remediations(ctx, engine.RemediationFilter{States: []remedy.State{remedy.Cancelled, remedy.Failed}, Limit: 100})
		if err != nil {
			return err
		}
		for _, f := range l.engine.Firings() {
			i := slices.IndexFunc(rs, func(r remedy.Remediation) bool {
				return r.Policy == f.Policy && r.Target == f.Target && r.Gate != remedy.GateRecheck
			})
			newest, _, err := l.ledger.Remediations(ctx, engine.RemediationFilter{Policy: f.Policy, Target: f.Target, Limit: 1})
			if err != nil || i < 0 || newest[0].ID != rs[i].ID || !s.swayed[rs[i].ID] {
				continue
			}
			if _, err := l.engine.RetryAction(ctx, "token:ann", rs[i].ID); err != nil {
				return err
			}
			s.tell("retry of remediation %d, as a person ended it", rs[i].ID)
		}
		return nil
	})
}

// unwell is what is not as it should be at rest, "" nothing.
func (s *sim) unwell() string {
	if s.life == nil {
		return "the daemon is down"
	}
	for _, f := range s.life.engine.Firings() {
		if f.State != policy.StateOK {
			out := fmt.Sprintf("%s of %s is %s", f.Policy, f.Target, f.State)
			if story, err := s.life.engine.WhyNot(context.Background(), f.Policy, f.Target); err == nil {
				for _, l := range story.Lines {
					out += "; " + l.Text
				}
			}
			return out
		}
	}
	rs, _, err := s.life.ledger.Remediations(context.Background(), engine.RemediationFilter{
		States: []remedy.State{remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying, remedy.GaveUp, remedy.Indeterminate}, Limit: 1,
	})
	if err != nil || len(rs) > 0 {
		if err == nil && rs[0].Source == remedy.FromAPI && rs[0].State == remedy.Held {
			return fmt.Sprintf("remediation %d, which a person asked for, is held by %s: %s", rs[0].ID, rs[0].Gate, rs[0].Reason)
		}
		return fmt.Sprintf("remediations are open: %+v %v", rs, err)
	}
	return ""
}
