package hall_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// asking is a reader that lets something happen before it answers whether anything is
// under way for a firing.
type asking struct {
	engine.Reader
	first func()
	asked atomic.Int32
}

func (a *asking) Remediations(ctx context.Context, f engine.RemediationFilter) ([]remedy.Remediation, int, error) {
	if f.Firing != nil && f.Limit == 1 && a.asked.Add(1) == 1 {
		a.first()
	}
	return a.Reader.Remediations(ctx, f)
}

// TestRemedyIsTakenAwayWhileItIsAskedAbout: a policy may lose its remedy at the very
// moment at which it is asked whether its firing needs another remediation.
func TestRemedyIsTakenAwayWhileItIsAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		booted := time.Now().Add(-time.Hour)
		now := func() clock.Stamp {
			return clock.Stamp{Wall: time.Now().UnixMicro(), Boot: int64(time.Since(booted)), BootID: "one"}
		}
		a := &asking{}
		r := startDeps(t, t.TempDir(), now, func(_ *engine.Config, d *engine.Deps) { a.Reader, d.Reader = d.Reader, a })
		a.first = func() {
			r.put(t, strings.Replace(breach, "  remedy: {ladder: [{action: wait, with: {for: 1s}}]}\n", "", 1))
		}
		r.put(t, breach)
		r.push(t, 5, series.NoTime, "breach_value", "service", "web")
		synctest.Wait()
		if _, err := r.CancelAction(t.Context(), "ann", r.remediations(t)[0].ID, "not now"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if a.asked.Load() == 0 || len(r.remediations(t)) != 1 || len(r.Firings()) != 1 {
			t.Errorf("asked %d times, %d remediations, firings %+v", a.asked.Load(), len(r.remediations(t)), r.Firings())
		}
		r.stop()
	})
}
