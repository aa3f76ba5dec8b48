package worker_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/ledger"
	"vigil/engine/remedy"
	"vigil/engine/remedy/worker"
)

// BenchmarkNudgeToAct measures from the nudge to the first instruction of the
// action, on a real ledger with its fsync: one read and one transaction.
func BenchmarkNudgeToAct(b *testing.B) {
	now := clock.System()
	c := ledger.Defaults()
	c.Dir, c.BallastMB = b.TempDir(), 0
	l, err := ledger.Open(c, ledger.Deps{Clock: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	began := make(chan time.Time, 1)
	catalogue := &acts{m: map[string]*act{}}
	catalogue.add("fix", remedy.Unsafe, func(context.Context, remedy.Request) (remedy.Result, error) {
		began <- time.Now()
		return remedy.Result{OK: true}, nil
	})
	cfg := remedy.Defaults()
	cfg.Limit.Max, cfg.KindLimit.Max, cfg.Settle = 10_000, 10_000, 0
	wake := make(chan struct{}, 1)
	w, err := worker.New(cfg, worker.Deps{Ledger: l, Judge: &judge{clock: now}, Actions: catalogue, Clock: now, Wake: wake, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	p := plan("fix")
	p.Limit = nil
	cool := remedy.Defaults().Cooldown * 0
	p.Cooldown = &cool
	var took []time.Duration
	for b.Loop() {
		r := remedy.Remediation{Source: remedy.FromAPI, Actor: "bench", Plan: p, State: remedy.Queued, Priority: "high", Created: now()}
		if _, err := l.Commit(ctx, &engine.Decision{At: now(), Remediations: []remedy.Remediation{r}}); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		wake <- struct{}{}
		took = append(took, (<-began).Sub(start))
		for w.Stats().Busy > 0 { // the end of this one is no part of the next
			<-time.After(100 * time.Microsecond)
		}
	}
	cancel()
	<-ended
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
