package evaluate_test

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/evaluate"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/series"
	"vigil/engine/shard"
)

// pairs is a store with many series of two names, which come in turn.
type pairs struct {
	engine.Samples
	n      int
	labels func(i int) map[string]string
	shared int // series of a third name, before all others
}

func (p *pairs) Start(ctx context.Context, _ uint64, h engine.Hooks) error {
	local := series.Local(0)
	add := func(name string, m map[string]string) {
		h.Registered(series.Ref(local+1), local, series.FromMap(name, m).Key())
		local++
	}
	for range p.shared {
		add("shared", map[string]string{"zone": "a"})
	}
	for i := range p.n {
		// Half of the joined come before the matched, half after.
		names := []string{"errors", "requests"}
		if i%2 == 0 {
			names[0], names[1] = names[1], names[0]
		}
		for _, name := range names {
			add(name, p.labels(i))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pairs) Select(context.Context, series.Selector, int64, int64) (engine.Cursor, error) {
	return nothing{}, nil
}

// TestManySeriesOfAJoinAreTakenIn: what an instance and a joined series cost when they
// come is what they join, and not how many there are of either.
func TestManySeriesOfAJoinAreTakenIn(t *testing.T) {
	const n = 4_000
	each := func(i int) map[string]string {
		return map[string]string{"host": strconv.Itoa(i), "path": "/" + strconv.Itoa(i%7), "job": "web"}
	}
	for _, c := range []struct {
		name, spec string
		labels     func(i int) map[string]string
		shared     int
	}{
		{"on one label", `{match: errors, fire: 'value / last("1m", "requests") > 0.1', on: [host]}`, each, 0},
		{"on all labels", `{match: errors, fire: 'value / last("1m", "requests") > 0.1'}`, each, 0},
		{"of many shapes", `{match: errors, fire: 'value / last("1m", "requests") > 0.1'}`, func(i int) map[string]string {
			m := each(i)
			m["extra"+strconv.Itoa(i%5)] = "x"
			return m
		}, 0},
		{"one for all", `{match: errors, fire: 'value / last("1m", "shared") > 0.1'}`, each, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pairs{n: n, labels: c.labels, shared: c.shared}
			e, err := evaluate.New(engine.Defaults(), engine.Deps{Samples: p, Journal: struct{ engine.Journal }{}, Clock: clock.System()})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Load(t.Context(), &engine.Snapshot{Epoch: 1, Policies: []engine.PolicyRow{row(t, "ratio", c.spec)}}); err != nil {
				t.Fatal(err)
			}
			found := 0
			e.Inspect("ratio", func(*evaluate.Look) { found++ })
			if found != n {
				t.Fatalf("%d of %d are evaluated", found, n)
			}
			if got := e.Compared(); got < n || got > 3*n {
				t.Errorf("%d comparisons for %d pairs", got, n)
			}
		})
	}
}

// hooked is a store that hands its hooks over.
type hooked struct {
	pairs
	hooks engine.Hooks
}

func (h *hooked) Start(_ context.Context, _ uint64, hooks engine.Hooks) error {
	h.hooks = hooks
	if h.shared > 0 {
		hooks.Registered(1, 0, series.FromMap("shared", map[string]string{"zone": "a"}).Key())
	}
	return nil
}

// sent hands a durable sample over.
func (h *hooked) sent(seq uint64, local series.Local, t int64, v float64) {
	b := &series.Batch{
		Seq: seq, Points: []series.Point{{T: t, V: v}},
		Items: []series.Item{{Ref: series.Ref(local + 1), Local: local, Hi: 1}},
	}
	h.hooks.Reserve(b)
	h.hooks.Committed([]*series.Batch{b})
}

// A series that a policy both matches and joins is read once as each.
func TestSeriesThatJoinsItself(t *testing.T) {
	h := &hooked{}
	e, err := evaluate.New(engine.Defaults(), engine.Deps{Samples: h, Journal: struct{ engine.Journal }{}, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	rows := []engine.PolicyRow{row(t, "self", `{match: a, fire: 'value > 1 and last("1m", "a") > 1'}`)}
	if err := e.Load(t.Context(), &engine.Snapshot{Epoch: 1, Policies: rows}); err != nil {
		t.Fatal(err)
	}
	h.hooks.Registered(1, 0, series.FromMap("a", map[string]string{"host": "x"}).Key())
	now := clock.System()().Millis()
	h.sent(0, 0, now-1000, 0.5)
	h.sent(1, 0, now, 0.5)
	e.Wake(t.Context())
	if st := e.Stats(); st.Late != 0 || st.Evaluations != 2 {
		t.Errorf("%d samples are late, %d evaluations", st.Late, st.Evaluations)
	}
}

// taken is a journal that takes whatever it is given.
type taken struct{ engine.Journal }

func (taken) Commit(context.Context, *engine.Decision) (engine.Receipt, error) {
	return engine.Receipt{}, nil
}

// TestFiringWhoseSeriesComesBackJoins: what fires when vigild stops, and whose series is
// not known when it starts, reads what it joins once its series is there again; so it does
// when its policy is edited in between.
func TestFiringWhoseSeriesComesBackJoins(t *testing.T) {
	const spec = `match: a, fire: 'value > 1 and last("1m", "shared") > 1'`
	for name, edit := range map[string]string{"started": "", "edited": "{" + spec + ", for: 10s}"} {
		t.Run(name, func(t *testing.T) {
			h := &hooked{pairs: pairs{shared: 1}}
			e, err := evaluate.New(engine.Defaults(), engine.Deps{Samples: h, Journal: taken{}, Clock: clock.System()})
			if err != nil {
				t.Fatal(err)
			}
			ls := series.FromMap("a", map[string]string{"host": "x"})
			stamp := clock.System()()
			snap := &engine.Snapshot{
				Epoch:    1,
				Policies: []engine.PolicyRow{row(t, "p", "{"+spec+"}")},
				Firings: []engine.FiringRow{{Policy: "p", Fingerprint: ls.Fingerprint(), Labels: ls, Version: 1,
					State: policy.Firing{State: policy.StateFiring, Since: stamp, Fired: stamp, Known: stamp}}},
			}
			if err := e.Load(t.Context(), snap); err != nil {
				t.Fatal(err)
			}
			if edit != "" {
				p := shard.Policy{Owner: document.API, Version: 2}
				if err := json.Unmarshal(row(t, "p", edit).Text, &p.Doc); err != nil {
					t.Fatal(err)
				}
				p.Doc.Name = "p"
				var is fault.Issues
				if p.Cond, is = policy.Compile(p.Doc.Condition); len(is) > 0 {
					t.Fatal(is)
				}
				if how := e.HowPut(p); how != evaluate.Kept {
					t.Fatalf("the edit is %d, and not one that keeps the firings", how)
				}
				if err := e.Apply(t.Context(), evaluate.Change{Put: []shard.Policy{p}}); err != nil {
					t.Fatal(err)
				}
			}
			h.hooks.Registered(2, 1, ls.Key())
			now := clock.System()().Millis()
			h.sent(0, 0, now, 2)
			h.sent(1, 1, now, 2)
			e.Wake(t.Context())
			seen := policy.Unknown
			e.Inspect("p", func(l *evaluate.Look) { seen = l.Instance.Evaluate(now, true, 0).Fire })
			if seen != policy.True {
				t.Errorf("the condition is %s", seen)
			}
		})
	}
}
