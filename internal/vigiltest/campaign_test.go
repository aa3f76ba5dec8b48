package vigiltest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	runs = flag.Int("runs", 0, "kills of TestCampaign; without it 40, and .ci/run asks for 300")
	seed = flag.Uint64("seed", 0, "first seed of TestCampaign; without it the time")
)

// kills is how many daemons TestCampaign kills.
func kills() int {
	if *runs > 0 {
		return *runs
	}
	return 40
}

const (
	lanes   = 4  // at one time
	stretch = 25 // kills of one data directory
)

// points are the places where the daemon kills itself, and among how many passes
// of each one is chosen.
var points = map[string]int{
	"append.before": 30, "append.after": 30, "commit.before": 60, "commit.after": 60, "decision.before": 20, "decision.after": 20,
	"claim.before": 20, "claim.after": 15, "act.before": 15, "act.after": 15, "finish.before": 15, "finish.after": 15,
}

// TestCampaign kills the whole daemon again and again, under load, at random
// moments and at named points, and looks after each start whether everything
// that was acknowledged is there, no unsafe act was done twice, no act has no
// record, nothing is stuck, and the chain is whole.
//
//	go test ./internal/vigiltest -run TestCampaign -runs 10000 -timeout 0
func TestCampaign(t *testing.T) { campaign(t, kills(), live) }

// campaign kills so many daemons in lanes: each lane lives the lives of one data
// directory after another, and stops at the first that shows something wrong.
func campaign(t *testing.T, kills int, life func(t *testing.T, seed uint64, runs int, planted string) []string) {
	t.Helper()
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	step := min(int64(stretch), int64((kills+lanes-1)/lanes))
	var left, killed atomic.Int64
	left.Store(int64(kills))
	began := time.Now()
	t.Run("lanes", func(t *testing.T) {
		for n := range lanes {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				for s := first + uint64(n)*1_000_000; left.Load() > 0; s++ {
					runs := int(min(step, left.Add(-step)+step))
					if runs <= 0 {
						return
					}
					if bad := life(t, s, runs, ""); len(bad) > 0 {
						t.Errorf("seed %d: %d violations\n%s", s, len(bad), strings.Join(bad[:min(20, len(bad))], "\n"))
						return
					}
					killed.Add(int64(runs))
				}
			})
		}
	})
	t.Logf("%d kills in %s, seed %d", killed.Load(), time.Since(began).Round(time.Second), first)
}

// live is the life of one data directory: killed runs times, brought to rest,
// stopped. It returns what was wrong, and at once when something is.
func live(t *testing.T, seed uint64, runs int, planted string) []string {
	l, m := newLane(t, seed), newModel()
	c := &checker{lane: l, m: m}
	ctx := t.Context()
	binary, env := Binary, []string(nil)
	if planted != "" {
		binary, env = Pointed, []string{"VIGIL_PLANT=" + planted}
		l.rests = 30 * time.Second
	}
	for run := range runs {
		switch l.rand.IntN(10) {
		case 0, 1, 2: // at a named point
			name := pick(l.rand)
			l.start(Pointed, append(env, fmt.Sprintf("VIGIL_CRASH_POINT=%s:%d", name, 1+l.rand.IntN(points[name])))...)
			bad := l.under(ctx, c, run, time.Second)
			if len(bad) > 0 {
				return bad
			}
		case 3: // while it starts
			l.start(binary, env...)
			wait(l.rand.IntN(200), l.done)
		default: // at any moment
			l.start(binary, env...)
			if bad := l.under(ctx, c, run, time.Duration(l.rand.IntN(500))*time.Millisecond); len(bad) > 0 {
				return bad
			}
		}
		l.kill()
	}
	l.mustBeReady(binary, env...)
	l.resume(ctx)
	if bad := c.check(ctx); len(bad) > 0 {
		return bad
	}
	bad := c.settle(ctx)
	if len(bad) == 0 {
		l.stop()
	}
	return bad
}

// under waits for the daemon, checks it, and loads it for a while, or until it
// has died at its point.
func (l *lane) under(ctx context.Context, c *checker, run int, span time.Duration) []string {
	if !l.ready() {
		if code := l.cmd.ProcessState.ExitCode(); code != -1 {
			return []string{fmt.Sprintf("the daemon does not start, exit code %d: %s", code, l.log)}
		}
		return nil
	}
	l.resume(ctx)
	if bad := c.check(ctx); len(bad) > 0 && !l.died() {
		return bad
	}
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	traffic{l, c.m, run}.flow(ctx)
	return nil
}

// resume ends the safe mode, which three unclean starts bring.
func (l *lane) resume(ctx context.Context) {
	status, text, err := l.ask(ctx, "POST", "/api/v1/resume", nil)
	if (err != nil || status != 200) && !l.died() {
		l.t.Errorf("resume: %d %s %v", status, text, err)
	}
}

// died reports whether the daemon has killed itself, when something looked as if
// it had.
func (l *lane) died() bool {
	if l.cmd.Path != Pointed {
		return false
	}
	wait(10_000, l.done)
	return l.dead()
}

func pick(r *rand.Rand) string {
	n := r.IntN(len(points))
	for _, name := range pointNames {
		if n--; n < 0 {
			return name
		}
	}
	return ""
}

// pointNames is the order in which points are chosen from, so that a seed says
// which.
var pointNames = []string{
	"append.before", "append.after", "commit.before", "commit.after", "decision.before", "decision.after", "claim.before", "claim.after",
	"act.before", "act.after", "finish.before", "finish.after",
}

// wait is a while, or until done.
func wait(ms int, done <-chan struct{}) {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
	case <-done:
	}
}

// TestCampaignFindsPlantedBugs: a campaign that finds nothing in a daemon that
// is wrong proves nothing about one that is right.
func TestCampaignFindsPlantedBugs(t *testing.T) {
	tests := []struct{ plant, want string }{
		{"sample", "acknowledged samples are lost"},
		{"commit", "was acknowledged"},
		{"twice", "was done twice"},
		{"unrecorded", "without a started record"},
	}
	for _, tt := range tests {
		t.Run(tt.plant, func(t *testing.T) {
			t.Parallel()
			for s := range uint64(5) {
				bad := strings.Join(live(t, s, 12, tt.plant), "\n")
				if strings.Contains(bad, tt.want) {
					t.Logf("seed %d: %s", s, bad[:min(300, len(bad))])
					return
				}
			}
			t.Errorf("the planted bug %s was not found", tt.plant)
		})
	}
}
