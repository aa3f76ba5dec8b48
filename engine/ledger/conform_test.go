package ledger_test

import (
	"context"
	"os"
	"testing"

	"vigil/engine/clock"
	"vigil/engine/ledger"
	"vigil/engine/ledger/conform"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/ledger/desired"
	"vigil/engine/ledger/powercut"
)

// place is a directory with a ledger in it, whose disk can be made to fail.
type place struct {
	cfg ledger.Config
	rec *powercut.Recorder
}

// newPlace makes one. Syncs are only noted: who looks at power cuts does it by the
// recorder's notes.
func newPlace(t testing.TB) *place {
	dir, err := os.MkdirTemp(scratch(t), "")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := powercut.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	rec.Lazy()
	t.Cleanup(rec.Stop)
	p := &place{cfg: config(dir), rec: rec}
	p.cfg.VFS, p.cfg.LogPages = powercut.Name, 24
	return p
}

func (p *place) Open(now clock.Clock) (stand.Store, error) {
	deps := systemDeps()
	deps.Clock = now
	l, err := ledger.Open(p.cfg, deps)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (p *place) Crash(s stand.Store) error {
	err := s.(*ledger.Ledger).Abandon()
	if p.rec.Heal() > 0 {
		return nil // a file that could not be closed well is what a crash leaves
	}
	return err
}

func (p *place) Trim(s stand.Store, k stand.Keep) error {
	l := s.(*ledger.Ledger)
	if err := l.TrimDesired(desired.Keep{Revisions: k.Revisions, Drifts: k.Drifts, Suspends: k.Suspends}); err != nil {
		return err
	}
	return l.TrimTo(context.Background(), k.Closed, k.Finished)
}

func (p *place) Fail(n int) {
	p.rec.Fail(powercut.Failure{At: n, Sticky: true, Code: powercut.EIO})
}

func bed() stand.Bed {
	return stand.Bed{New: func(t testing.TB) stand.Place { return newPlace(t) }, Brief: brief()}
}

// TestLedgerConforms: this ledger is one of those that the suite describes.
func TestLedgerConforms(t *testing.T) { conform.Run(t, bed()) }

// TestThoseWhoWaitShareATransaction: what the suite asks of writers at once is done
// in fewer transactions than there are decisions.
func TestThoseWhoWaitShareATransaction(t *testing.T) {
	for _, c := range conform.Checks() {
		if c.Name != "WritersAtOnceAreWhole" {
			continue
		}
		r := stand.New(t, bed())
		before := r.Store.(*ledger.Ledger).Stats(context.Background())
		c.Do(r)
		after := r.Store.(*ledger.Ledger).Stats(context.Background())
		if jobs, commits := after.Jobs-before.Jobs, after.Commits-before.Commits; jobs < 192 || commits >= jobs {
			t.Errorf("%d jobs took %d transactions", jobs, commits)
		}
		return
	}
	t.Fatal("the suite does not ask it any more")
}
