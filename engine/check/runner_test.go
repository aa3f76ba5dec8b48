package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"vigil/engine/check/probe"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sunk is a sink that keeps what it was given.
type sunk struct {
	mu    sync.Mutex
	rows  []row
	fail  error
	times int
}

type row struct {
	series string
	t      int64
	v      float64
	stale  bool
}

func (s *sunk) sink(_ context.Context, b *series.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times++
	if s.fail != nil {
		return s.fail
	}
	for _, it := range b.Items {
		ls, err := series.ParseKey(it.Key)
		if err != nil {
			return err
		}
		p := b.Points[it.Lo]
		s.rows = append(s.rows, row{ls.String(), p.T, p.V, series.IsStale(p.V)})
	}
	if !b.Own {
		return errors.New("a batch of ours is not marked Own")
	}
	return nil
}

// of is every value of a series, "stale" where it ended.
func (s *sunk) of(name string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.series == name {
			if r.stale {
				out = append(out, "stale")
			} else {
				out = append(out, fmt.Sprint(r.v))
			}
		}
	}
	return out
}

// fakeClock is the bubble's clock; the wall may be stepped.
type fakeClock struct {
	mu   sync.Mutex
	from time.Time
	boot time.Duration // at from
	step time.Duration
}

func (c *fakeClock) now() clock.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clock.Stamp{Wall: time.Now().Add(c.step).UnixMicro(), Boot: int64(time.Since(c.from) + c.boot), BootID: "test"}
}

func (c *fakeClock) jump(d time.Duration) { c.mu.Lock(); c.step += d; c.mu.Unlock() }

// probeFunc is a check made of a function.
type probeFunc func(ctx context.Context, emit Emit) error

func (f probeFunc) Collect(ctx context.Context, emit probe.Emit) error { return f(ctx, emit) }

func one(name string, pairs ...string) series.Labels {
	ls := []series.Label{{Name: series.NameLabel, Value: name}}
	for i := 0; i < len(pairs); i += 2 {
		ls = append(ls, series.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return series.New(ls...)
}

// define makes a definition as FromDocument would.
func define(t *testing.T, name string, c Common, f probeFunc) Definition {
	t.Helper()
	d := Definition{Name: name, Kind: "test", check: f, Digest: digest(name, c)}
	if c.Every == "" {
		c.Every = "10s"
	}
	if is := c.apply(&d, func(...string) string { return "" }); len(is) > 0 {
		t.Fatal(is)
	}
	return d
}

func runner(t *testing.T, s *sunk, c *fakeClock, defs ...Definition) *Runner {
	t.Helper()
	cfg := Defaults()
	cfg.Host.Enabled = false
	cfg.Checks.Bus = "unix:path=/nowhere/at/all"
	r, err := New(cfg, Deps{Sink: s.sink, Clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetChecks(defs); err != nil {
		t.Fatal(err)
	}
	return r
}

// play runs r for d of the bubble's time.
func play(t *testing.T, r *Runner, d time.Duration, during func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	synctest.Wait()
	if during != nil {
		during()
	}
	<-time.After(d)
	synctest.Wait()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}

var noJitter = document.Duration(0)

func TestFirstRoundIsAtOnceThenExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		began := time.Now()
		var at []time.Duration
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
			at = append(at, time.Since(began))
			<-time.After(3 * time.Second)
			return nil
		}))
		play(t, r, 35*time.Second, nil)
		if want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}; !slices.Equal(at[:4], want) {
			t.Errorf("ran at %v, want %v", at, want)
		}
		if n := r.Stats().Overruns; n != 0 {
			t.Errorf("%d overruns of a check that is quick enough", n)
		}
	})
}

// TestOverrunsAreCountedNeverStacked: a check that does not end holds one place.
func TestOverrunsAreCountedNeverStacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		flying, most, runs := 0, 0, 0
		var mu sync.Mutex
		d := define(t, "slow", Common{Jitter: &noJitter}, func(ctx context.Context, emit Emit) error {
			mu.Lock()
			flying++
			most = max(most, flying)
			runs++
			mu.Unlock()
			<-time.After(25 * time.Second) // deaf to its context
			mu.Lock()
			flying--
			mu.Unlock()
			return ctx.Err()
		})
		r := runner(t, s, c, d)
		play(t, r, 89*time.Second, nil)
		st := r.Stats()
		if most != 1 || runs != 3 || st.Overruns != 6 {
			t.Errorf("%d at once, %d rounds, %d overruns; want 1, 3, 6", most, runs, st.Overruns)
		}
	})
}

// TestInFlightIsBounded: with more checks than places, all get their turn.
func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		flying, most := 0, 0
		ran := map[string]int{}
		var mu sync.Mutex
		var defs []Definition
		for i := range 20 {
			name := fmt.Sprint("c", i)
			defs = append(defs, define(t, name, Common{Every: "1m", Jitter: &noJitter}, func(context.Context, Emit) error {
				mu.Lock()
				flying++
				most = max(most, flying)
				ran[name]++
				mu.Unlock()
				<-time.After(5 * time.Second)
				mu.Lock()
				flying--
				mu.Unlock()
				return nil
			}))
		}
		r := runner(t, s, c, defs...)
		play(t, r, 50*time.Second, nil)
		if most != 8 || len(ran) != 20 {
			t.Errorf("%d at once and %d ran; want 8 and 20", most, len(ran))
		}
	})
}

// TestWallClockJumpsMoveNothing: years forth and back, the interval stays.
func TestWallClockJumpsMoveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		n := 0
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter}, func(context.Context, Emit) error {
			n++
			c.jump([]time.Duration{-1, 1}[n%2] * 10 * 365 * 24 * time.Hour)
			return nil
		}))
		play(t, r, 95*time.Second, nil)
		if n != 10 {
			t.Errorf("%d rounds in 95 s at every 10s, want 10", n)
		}
	})
}

// TestCronFollowsTheWallOnce: a leap over many ticks makes the check due once, a
// step back neither silences it nor runs it again at once.
func TestCronFollowsTheWallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		var n atomic.Int32
		r := runner(t, s, c, define(t, "a", Common{Every: "*/10 * * * *"}, func(context.Context, Emit) error { n.Add(1); return nil }))
		play(t, r, 8*time.Hour, func() {
			<-time.After(time.Hour + time.Minute)
			if n := n.Load(); n != 6 {
				t.Errorf("%d rounds in an hour of every ten minutes, want 6", n)
			}
			c.jump(365 * 24 * time.Hour)
			<-time.After(2 * time.Minute)
			if n := n.Load(); n != 7 {
				t.Errorf("%d rounds after a leap of a year, want 7", n)
			}
			c.jump(-2 * 365 * 24 * time.Hour)
			<-time.After(time.Hour)
			if n := n.Load(); n < 12 || n > 13 {
				t.Errorf("%d rounds an hour after a step back of two years, want 12 or 13", n)
			}
		})
	})
}

func TestStandardSamplesAndStaleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		n := 0
		d := define(t, "a", Common{Jitter: &noJitter, Labels: map[string]string{"team": "shop"}}, func(_ context.Context, emit Emit) error {
			n++
			emit(one("x"), float64(n))
			switch n {
			case 1:
				emit(one("gone"), 1)
			case 2:
				return probe.Down{Reason: "not well"}
			case 3:
				return errors.New("could not")
			}
			return nil
		})
		r := runner(t, s, c, d)
		play(t, r, 35*time.Second, nil)
		for series, want := range map[string][]string{
			`x{team="shop"}`:    {"1", "2", "3", "4"},
			`gone{team="shop"}`: {"1", "stale"},
			`vigil_check_up{check="a",kind="test",team="shop"}`:                       {"1", "0", "0", "1"},
			`vigil_check_errors_total{check="a",kind="test",team="shop"}`:             {"0", "0", "1", "1"},
			`vigil_check_last_success_age_seconds{check="a",kind="test",team="shop"}`: {"0", "10", "20", "0"},
		} {
			if got := s.of(series); !slices.Equal(got, want) {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
	})
}

// TestOnErrorKeep: with keep, a failure ends no series; with end it does.
func TestOnErrorKeep(t *testing.T) {
	for mode, want := range map[string][]string{"keep": {"1", "1"}, "end": {"1", "stale", "1"}} {
		synctest.Test(t, func(t *testing.T) {
			s, c := &sunk{}, &fakeClock{from: time.Now()}
			n := 0
			r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter, OnError: mode}, func(_ context.Context, emit Emit) error {
				if n++; n == 2 {
					return errors.New("no")
				}
				emit(one("x"), 1)
				return nil
			}))
			play(t, r, 25*time.Second, nil)
			if got := s.of("x"); !slices.Equal(got, want) {
				t.Errorf("%s: x is %v, want %v", mode, got, want)
			}
		})
	}
}

func TestRetriesCountTheLastTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		n := 0
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter, Retries: 2}, func(_ context.Context, emit Emit) error {
			n++
			emit(one("x"), float64(n))
			if n < 3 {
				emit(one("early"), 1)
				return errors.New("not yet")
			}
			return nil
		}))
		play(t, r, 5*time.Second, nil)
		if got := s.of("x"); !slices.Equal(got, []string{"3"}) {
			t.Errorf("x is %v, want the third try alone", got)
		}
		if got := s.of("early"); slices.ContainsFunc(got, func(v string) bool { return v != "stale" }) {
			t.Errorf("a sample of a try that was given up came through: %v", got)
		}
	})
}

// TestTimeoutIsTold: the round ends at its timeout and says so.
func TestTimeoutIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		timeout := document.Duration(2 * time.Second)
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter, Timeout: &timeout}, func(ctx context.Context, emit Emit) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		play(t, r, 5*time.Second, nil)
		st := r.Stats().Each[0]
		if st.State != StateError || !strings.Contains(st.Reason, "no answer within 2s") || st.Took != 2*time.Second {
			t.Errorf("state %s, reason %q, took %v", st.State, st.Reason, st.Took)
		}
	})
}

// TestSwapKeepsWhatIsTheSame: an unchanged check keeps its schedule and state, a
// changed one takes its series over, and one that is gone has its series ended.
func TestSwapKeepsWhatIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		emits := func(name string) probeFunc {
			return func(_ context.Context, emit Emit) error { emit(one(name), 1); return nil }
		}
		same := define(t, "same", Common{Jitter: &noJitter}, emits("same"))
		gone := define(t, "gone", Common{Jitter: &noJitter}, emits("gone"))
		before := define(t, "edit", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
			emit(one("both"), 1)
			emit(one("only_before"), 1)
			return nil
		})
		after := define(t, "edit", Common{Jitter: &noJitter, Retries: 1}, emits("both"))
		r := runner(t, s, c, same, gone, before)
		play(t, r, 6*time.Second, func() {
			<-time.After(4 * time.Second)
			if err := r.SetChecks([]Definition{same, after}); err != nil {
				t.Error(err)
			}
		})
		for series, want := range map[string][]string{
			"same": {"1", "1"}, "gone": {"1", "stale"}, "both": {"1", "1"}, "only_before": {"1", "stale"},
			`vigil_check_up{check="gone",kind="test"}`: {"1", "stale"},
		} {
			if got := s.of(series); !slices.Equal(got, want) {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
	})
}

// TestSwapWhileFlying: the heir waits for the one it replaces, so that no end of
// a series comes after its new samples; a removed one ends its series when it lands.
func TestSwapWhileFlying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		n := 0
		slow := func(_ context.Context, emit Emit) error {
			n++
			emit(one("x"), float64(n))
			emit(one("y"), float64(n))
			if n > 1 {
				<-time.After(5 * time.Second)
			}
			return nil
		}
		old := define(t, "edit", Common{Jitter: &noJitter}, slow)
		gone := define(t, "gone", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
			emit(one("z"), 1)
			<-time.After(5 * time.Second)
			return nil
		})
		fresh := define(t, "edit", Common{Jitter: &noJitter, Retries: 1}, func(_ context.Context, emit Emit) error {
			if n == 2 && !slices.Contains(s.of("x"), "1") {
				t.Error("the heir began before the other had landed")
			}
			emit(one("x"), 10)
			return nil
		})
		r := runner(t, s, c, old, gone)
		play(t, r, 8*time.Second, func() {
			<-time.After(11 * time.Second)
			if err := r.SetChecks([]Definition{fresh}); err != nil {
				t.Error(err)
			}
		})
		if got := s.of("x"); !slices.Equal(got, []string{"1", "10"}) {
			t.Errorf("x is %v, want 1 then 10", got)
		}
		if got := s.of("y"); !slices.Equal(got, []string{"1", "stale"}) {
			t.Errorf("y is %v, want 1 then its end", got)
		}
		if got := s.of("z"); !slices.Equal(got, []string{"1", "stale"}) {
			t.Errorf("z is %v, want 1 then its end", got)
		}
	})
}

// TestNudgeRunsAtOnce: a signal about a unit does not wait for the tick, and a
// storm of them is one round, or two.
func TestNudgeRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		var at []time.Duration
		began := time.Now()
		d := define(t, "u", Common{Jitter: &noJitter, Every: "1m"}, nil)
		d.check = concerned{func(_ context.Context, emit Emit) error { at = append(at, time.Since(began)); return nil }}
		r := runner(t, s, c, d)
		play(t, r, 90*time.Second, func() {
			<-time.After(5 * time.Second)
			for range 100 {
				r.unitChanged("web.service")
				r.unitChanged("other.service")
			}
		})
		// Signals that came while the round flew are worth one more round.
		at = slices.DeleteFunc(at, func(d time.Duration) bool { return d == 5*time.Second+nudgeGap })
		want := []time.Duration{0, 5 * time.Second, time.Minute}
		if !slices.Equal(at, want) {
			t.Errorf("ran at %v, want %v", at, want)
		}
	})
}

type concerned struct{ probeFunc }

func (concerned) Concerns(unit string) bool { return unit == "web.service" }

// TestStartGrace: within the grace, down is not told; it counts from the host's
// boot, not from when the check was read.
func TestStartGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now(), boot: 45 * time.Second}
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter, StartGrace: document.Duration(time.Minute)}, func(context.Context, Emit) error {
			return probe.Down{Reason: "starting"}
		}))
		play(t, r, 25*time.Second, nil)
		if got := s.of(`vigil_check_up{check="a",kind="test"}`); !slices.Equal(got, []string{"0"}) {
			t.Errorf("up is %v, want nothing at 45 s and 55 s of the host's uptime, and 0 at 65 s", got)
		}
		if got := s.of(`vigil_check_in_grace{check="a",kind="test"}`); !slices.Equal(got, []string{"1", "1", "0"}) {
			t.Errorf("in_grace is %v, want 1 1 0", got)
		}
	})
}

// TestOutsideItsWindow: nothing is measured and the series end; then it goes on.
func TestOutsideItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins at 2000-01-01 00:00 UTC, a Saturday
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter, Every: "10m", Window: []string{"Fri 23:00-00:15", "Sat 00:35-01:00"}}, func(_ context.Context, emit Emit) error {
			emit(one("x"), 1)
			return nil
		}))
		play(t, r, 85*time.Minute, nil)
		if got := s.of("x"); !slices.Equal(got, []string{"1", "1", "stale", "1", "1", "stale"}) {
			t.Errorf("x is %v, want it at 0 and 10, ended at 20, again at 40 and 50, ended at 60", got)
		}
	})
}

// TestSinkFailures: what is not taken is counted and the checks go on.
func TestSinkFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{fail: fault.New(fault.Exhausted, "later")}, &fakeClock{from: time.Now()}
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error { return nil }))
		play(t, r, 25*time.Second, nil)
		if st := r.Stats(); st.SinkErrors != 3 || st.Runs != 3 {
			t.Errorf("%d sink errors in %d rounds, want 3 in 3", st.SinkErrors, st.Runs)
		}
	})
}

// TestEndsAreOwed: the end of a series that the sink did not take comes with the
// next round.
func TestEndsAreOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		n := 0
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
			n++
			s.mu.Lock()
			if s.fail = nil; n == 2 {
				s.fail = fault.New(fault.Exhausted, "later")
			}
			s.mu.Unlock()
			if n == 1 {
				emit(one("gone"), 1)
			}
			if n != 2 {
				emit(one("back"), float64(n))
			}
			return nil
		}))
		play(t, r, 35*time.Second, nil)
		if got := s.of("gone"); !slices.Equal(got, []string{"1", "stale"}) {
			t.Errorf("gone is %v, want 1 and its end", got)
		}
		if got := s.of("back"); !slices.Equal(got, []string{"1", "3", "4"}) {
			t.Errorf("back is %v, want no end after it came back", got)
		}
	})
}

func TestSeriesAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &sunk{}, &fakeClock{from: time.Now()}
		r := runner(t, s, c, define(t, "a", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
			for i := range 100 {
				emit(one("x", "i", fmt.Sprint(i)), 1)
			}
			return nil
		}))
		r.cfg.Checks.MaxSeries = 10
		play(t, r, 15*time.Second, nil)
		if got := s.of(`vigil_check_up{check="a",kind="test"}`); !slices.Equal(got, []string{"0", "0"}) {
			t.Errorf("up is %v, want 0: the cap was passed", got)
		}
		if n := len(s.rows); n > 40 {
			t.Errorf("%d samples of a check capped at 10 series", n)
		}
	})
}

func TestTwoChecksOfOneName(t *testing.T) {
	s, c := &sunk{}, &fakeClock{from: time.Now()}
	a := define(t, "a", Common{}, func(context.Context, Emit) error { return nil })
	r := runner(t, s, c, a)
	if err := r.SetChecks([]Definition{a, a}); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("two checks of one name: %v", err)
	}
	if r.Stats().Checks != 1 {
		t.Error("a refused swap changed the checks")
	}
}

// TestHostValuesAtStart: the host's first samples come at once, its rates within
// seconds.
func TestHostValuesAtStart(t *testing.T) {
	s := &sunk{}
	cfg := Defaults()
	cfg.Checks.Bus = "unix:path=/nowhere/at/all"
	cfg.Host.Every = document.Duration(time.Hour) // not by the next round
	r, err := New(cfg, Deps{Sink: s.sink, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	began := time.Now()
	go func() { done <- r.Run(ctx) }()
	for _, name := range []string{"node_load1", `cpu_percent{origin="host"}`} {
		for len(s.of(name)) == 0 {
			if time.Since(began) > time.Minute {
				t.Fatalf("no %s within a minute", name)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	cancel()
	<-done
	for _, r := range s.rows {
		name, _, _ := strings.Cut(r.series, "{")
		apart := strings.Contains(r.series, `origin="host"`)
		if slices.Contains(Names(), name) == apart {
			t.Errorf("%s: a name that may be pushed must be told apart by origin, and no other", r.series)
		}
	}
}
