package hall_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/hall"
	"vigil/engine/ledger"
	"vigil/engine/remedy"
	"vigil/engine/series"
	"vigil/engine/tsdb"
)

// rig is an engine over a real store and a real ledger.
type rig struct {
	*hall.Engine
	store  *tsdb.Store
	ledger *ledger.Ledger
	work   chan struct{}
	stop   func()
}

// start opens the engine on a folder; its stop closes everything in reverse.
func start(t testing.TB, dir string) *rig { return startAt(t, dir, clock.System()) }

// startAt is start on a clock of the test's own.
func startAt(t testing.TB, dir string, now clock.Clock) *rig {
	t.Helper()
	return startWith(t, dir, now, func(*engine.Config) {})
}

// startWith is startAt with settings of the test's own.
func startWith(t testing.TB, dir string, now clock.Clock, set func(*engine.Config)) *rig {
	t.Helper()
	return startDeps(t, dir, now, func(c *engine.Config, _ *engine.Deps) { set(c) })
}

// startDeps is startWith with something of the test's own around the engine.
func startDeps(t testing.TB, dir string, now clock.Clock, set func(*engine.Config, *engine.Deps)) *rig {
	t.Helper()
	lc := ledger.Defaults()
	lc.Dir, lc.BallastMB = dir, 0
	led, err := ledger.Open(lc, ledger.Deps{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	tc := tsdb.Defaults()
	tc.Dir = dir
	st, err := tsdb.Open(tc, tsdb.Deps{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	cfg := engine.Defaults()
	cfg.BootGrace = 0
	work := make(chan struct{}, 1)
	deps := engine.Deps{Samples: st, Journal: led, Reader: led, Clock: now, Notices: engine.Notices{Work: work}}
	set(&cfg, &deps)
	e, err := hall.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	select {
	case <-e.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	r := &rig{Engine: e, store: st, ledger: led, work: work}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if err := led.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) put(t testing.TB, text string) {
	t.Helper()
	ds, is := document.Parse("p.yaml", []byte(text), document.API)
	if err := is.Err(); err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		p, is := engine.PolicyFromDocument(d)
		if err := is.Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.PutPolicy(context.Background(), "test", p, document.API, "", false); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) push(t testing.TB, v float64, at int64, name string, kv ...string) *series.Batch {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	b := &series.Batch{}
	b.Add(series.FromMap(name, m), at, v)
	if err := r.Ingest(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

// until polls a condition that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func (r *rig) remediations(t testing.TB) []remedy.Remediation {
	t.Helper()
	rs, _, err := r.ledger.Remediations(context.Background(), engine.RemediationFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

const breach = `
apiVersion: vigil/v1
kind: Policy
metadata: {name: breach}
spec:
  match: breach_value
  fire: value > 1
  remedy: {ladder: [{action: wait, with: {for: 1s}}]}
`

func TestSampleToQueuedRemediation(t *testing.T) {
	r := start(t, t.TempDir())
	r.put(t, breach)
	r.push(t, 5, series.NoTime, "breach_value", "service", "web")
	until(t, "a remediation is queued", func() bool { return len(r.remediations(t)) == 1 })
	rs := r.remediations(t)
	if len(rs) != 1 || rs[0].State != remedy.Queued || rs[0].Target != "web" || rs[0].Policy != "breach" {
		t.Fatalf("remediations %+v", rs)
	}
	story, err := r.Why(context.Background(), rs[0].ID)
	if err != nil || len(story.Lines) == 0 {
		t.Fatalf("why says %+v, %v", story, err)
	}
	b, _ := json.Marshal(story)
	t.Logf("%s", b)
	if len(r.Firings()) != 1 {
		t.Fatalf("firings %+v", r.Firings())
	}
}

// A restart changes no decision: the firing goes on, nothing is decided twice,
// the windows are what they were.
func TestBar_RestartForgetsNothing(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.put(t, breach)
	now := time.Now().UnixMilli()
	r.push(t, 5, now-2000, "breach_value", "service", "web")
	until(t, "a remediation is queued", func() bool { return len(r.remediations(t)) == 1 })
	first := r.Firings()[0]
	r.stop()

	r = start(t, dir)
	fs := r.Firings()
	if len(fs) != 1 || fs[0].State != first.State || fs[0].Since != first.Since {
		t.Fatalf("after the restart %+v, before %+v", fs, first)
	}
	r.push(t, 6, now-1000, "breach_value", "service", "web")
	r.push(t, 0, now, "breach_value", "service", "web")
	until(t, "the firing clears and what waited for it is withdrawn", func() bool {
		rs := r.remediations(t)
		return len(r.Firings()) == 0 && len(rs) == 1 && rs[0].State == remedy.Cancelled && rs[0].Gate == "recheck"
	})
}

// One firing, one remediation: a firing that begins long after the last one is
// not also taken for one that nothing is under way for.
func TestBar_OneFiringIsOneRemediation(t *testing.T) {
	var mu sync.Mutex
	at := clock.System()()
	now := func() clock.Stamp {
		mu.Lock()
		defer mu.Unlock()
		return at
	}
	later := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(d)
	}
	r := startAt(t, t.TempDir(), now)
	r.put(t, strings.Replace(breach, "remedy: {", "remedy: {cooldown: 0s, ", 1))
	for episode := range 2 { // a third within ten minutes would be flapping
		r.push(t, 5, series.NoTime, "breach_value", "service", "web")
		until(t, "it fires", func() bool { return len(r.remediations(t)) > episode })
		later(time.Second)
		r.push(t, 0, series.NoTime, "breach_value", "service", "web")
		until(t, "it clears and all is withdrawn", func() bool {
			for _, m := range r.remediations(t) {
				if m.State != remedy.Cancelled {
					return false
				}
			}
			return len(r.Firings()) == 0 && len(r.remediations(t)) > episode
		})
		if n := len(r.remediations(t)); n != episode+1 {
			t.Fatalf("%d firings made %d remediations", episode+1, n)
		}
		later(40 * time.Second)
	}
}
