package check

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine/series"
)

// left is what stood when vigild was killed, by check.
type left struct {
	of    map[string][]series.Labels
	asked []string
}

func (l *left) Names() (out []string) {
	for n := range l.of {
		out = append(out, n)
	}
	return out
}

func (l *left) Standing(_ context.Context, check string, there func(uint64) bool) (out []series.Labels) {
	l.asked = append(l.asked, check)
	for _, ls := range l.of[check] {
		if !there(ls.Fingerprint()) {
			out = append(out, ls)
		}
	}
	return out
}

// TestWhatVanishedWhileDownIsEnded: the first whole round of a check ends what it
// measured before the start and no longer sees, once; what it sees is not ended,
// however long the round takes; nothing is ended before that.
func TestWhatVanishedWhileDownIsEnded(t *testing.T) {
	marked := Common{Jitter: &noJitter, Labels: map[string]string{"site": "x"}}
	sees := func(ctx context.Context, emit Emit) error { emit(one("still"), 1); return nil }
	failed := 0
	fails := func(ctx context.Context, emit Emit) error {
		if failed++; failed < 3 {
			return errors.New("not yet")
		}
		return sees(ctx, emit)
	}
	for _, c := range []struct {
		name   string
		common Common
		f      probeFunc
		change func(*Definition)
		round  int  // that ends what vanished
		down   bool // it does not see what stood
	}{
		{"a round", Common{Jitter: &noJitter}, sees, nil, 1, false},
		{"labels of its own", marked, sees, nil, 1, false},
		{"a slow round", Common{Jitter: &noJitter}, func(ctx context.Context, emit Emit) error {
			<-time.After(8 * time.Second)
			return sees(ctx, emit)
		}, nil, 1, false},
		{"a failure ends what it does not give", Common{Jitter: &noJitter}, func(context.Context, Emit) error { return errors.New("never") }, nil, 1, true},
		{"a failure that keeps", Common{Jitter: &noJitter, OnError: "keep"}, fails, nil, 3, false},
		{"rates come with the second", Common{Jitter: &noJitter}, sees, func(d *Definition) { d.warm = 2 * time.Second }, 2, false},
		{"outside of its window", Common{Jitter: &noJitter, Window: []string{"00:00-00:01"}}, sees, nil, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.common.Window != nil {
					<-time.After(2 * time.Minute) // a bubble begins at midnight
				}
				s, clk := &sunk{}, &fakeClock{from: time.Now()}
				d := define(t, "a", c.common, c.f)
				if c.change != nil {
					c.change(&d)
				}
				r := runner(t, s, clk, d)
				var site []string
				if c.common.Labels != nil {
					site = []string{"site", "x"}
				}
				std := func(name string) series.Labels {
					return one(name, append([]string{"check", "a", "kind", "test"}, site...)...)
				}
				gone, still, took, age := one("gone", site...), one("still", site...), std(nameTook), std(nameAge)
				p := &left{of: map[string][]series.Labels{"a": {gone, still, std(nameUp), took, age}}}
				r.deps.Past = func() Past { return p }
				play(t, r, 35*time.Second, nil)
				if got := s.of(gone.String()); !slices.Equal(got, []string{"stale"}) {
					t.Errorf("gone is %v, want its end, once", got)
				}
				round := 0
				for _, row := range s.rows {
					if row.series == took.String() && !row.stale {
						round++
					}
					if row.series == gone.String() && round != c.round {
						t.Errorf("ended in round %d, want %d", round, c.round)
					}
				}
				if got := s.of(still.String()); slices.Contains(got, "stale") != c.down {
					t.Errorf("still is %v", got)
				}
				// How long ago the success before the start was is not known: it is not ended.
				if got := s.of(age.String()); slices.Contains(got, "stale") != (c.common.Window != nil) {
					t.Errorf("age is %v", got)
				}
				if !slices.Equal(p.asked, []string{"a"}) {
					t.Errorf("asked for %v", p.asked)
				}
			})
		})
	}
}

// TestChecksThatWentWhileDownAreEnded: not before every source of checks was heard,
// and not what is there again by then; one that is removed before it ran is ended too.
func TestChecksThatWentWhileDownAreEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, clk := &sunk{}, &fakeClock{from: time.Now()}
		emits := func(name string) Definition {
			return define(t, name, Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
				emit(one("of_"+name), 1)
				return nil
			})
		}
		daily := define(t, "daily", Common{Every: "0 3 * * *"}, func(context.Context, Emit) error { return nil })
		r := runner(t, s, clk, daily)
		p := &left{of: map[string][]series.Labels{}}
		for _, n := range []string{"daily", "late", "gone"} {
			p.of[n] = []series.Labels{one("of_" + n)}
		}
		r.deps.Past = func() Past { return p }
		play(t, r, 2*time.Minute, func() {
			<-time.After(30 * time.Second)
			if got := s.of("of_gone"); got != nil {
				t.Errorf("ended before all was heard: %v", got)
			}
			if err := r.SetChecks([]Definition{daily, emits("late")}); err != nil {
				t.Error(err)
			}
			r.Complete()
			<-time.After(30 * time.Second)
			if got := s.of("of_daily"); got != nil {
				t.Errorf("ended before it ran: %v", got)
			}
			if err := r.SetChecks([]Definition{emits("late")}); err != nil {
				t.Error(err)
			}
		})
		for series, want := range map[string][]string{"of_gone": {"stale"}, "of_daily": {"stale"}} {
			if got := s.of(series); !slices.Equal(got, want) {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
		if got := s.of("of_late"); len(got) == 0 || slices.Contains(got, "stale") {
			t.Errorf("what came late is %v", got)
		}
	})
}

// TestChecksThatAreCompleteBeforeTheRun: the sources may all have been heard before the
// runner begins, and then what went while vigild was down is ended all the same; what a
// check that was taken out and put in again still sees is not.
func TestChecksThatAreCompleteBeforeTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, clk := &sunk{}, &fakeClock{from: time.Now()}
		back := define(t, "back", Common{Jitter: &noJitter}, func(_ context.Context, emit Emit) error {
			emit(one("of_back"), 1)
			return nil
		})
		r := runner(t, s, clk, back)
		r.deps.Past = func() Past {
			return &left{of: map[string][]series.Labels{"gone": {one("of_gone")}, "back": {one("of_back")}}}
		}
		for _, ds := range [][]Definition{nil, {back}} {
			if err := r.SetChecks(ds); err != nil {
				t.Fatal(err)
			}
		}
		r.Complete()
		play(t, r, 30*time.Second, nil)
		if got := s.of("of_gone"); !slices.Equal(got, []string{"stale"}) {
			t.Errorf("of_gone is %v", got)
		}
		if got := s.of("of_back"); len(got) == 0 || slices.Contains(got, "stale") {
			t.Errorf("of_back is %v", got)
		}
	})
}
