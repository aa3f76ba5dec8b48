package holds_test

import (
	"errors"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/holds"
	"vigil/engine/remedy"
)

// TestSafeMode_IsAPauseOfThisRun: it is told to the gates and in the list, ends at its
// time or by a person's word that is on record, and no word about another hold ends it.
func TestSafeMode_IsAPauseOfThisRun(t *testing.T) {
	began := clock.Stamp{Wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro(), Boot: 1, BootID: "b"}
	now := began
	j := &journal{}
	nudged := 0
	b := holds.New(j, func() clock.Stamp { return now }, nil, func() { nudged++ })
	safe := engine.Hold{ID: "safe-mode", Kind: engine.HoldPause, Reason: "three unclean starts", Actor: "vigild", From: now, Created: now, Until: now.Add(time.Hour)}
	stands := func(why string, until clock.Stamp, listed int) {
		t.Helper()
		var f remedy.Facts
		b.Facts(&f, remedy.Remediation{}, now)
		got, end := b.Paused(now)
		if got != why || end != until || f.Paused != why || f.PausedUntil != until {
			t.Errorf("paused because of %q until %v, the gates are told %q until %v; want %q until %v", got, end.Time(), f.Paused, f.PausedUntil.Time(), why, until.Time())
		}
		if hs := b.Holds(); len(hs) != listed {
			t.Errorf("%d holds are listed, want %d: %+v", len(hs), listed, hs)
		}
	}
	stands("", clock.Stamp{}, 0)
	b.Load(nil, safe)
	stands(safe.Reason, safe.Until, 1)
	now = began.Add(time.Hour - time.Second)
	stands(safe.Reason, safe.Until, 1)
	now = began.Add(time.Hour)
	stands("", clock.Stamp{}, 0)

	// A person's pause that lasts longer is what counts, and stays when safe mode goes.
	now = began
	mine, err := b.PutHold(t.Context(), "ada", engine.Hold{Kind: engine.HoldPause, Reason: "mine", Until: now.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	stands("mine (ada)", mine.Until, 2)
	for _, id := range []string{"", "none", "safe"} {
		if err := b.ReleaseHold(t.Context(), "ada", id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q was ended: %v", id, err)
		}
	}
	if err := b.ReleaseHold(t.Context(), "ada", mine.ID); err != nil {
		t.Fatal(err)
	}
	stands(safe.Reason, safe.Until, 1)
	j.refuse = errors.New("the disk is full")
	if err := b.ReleaseHold(t.Context(), "ada", safe.ID); err == nil {
		t.Error("it ended without a record")
	}
	stands(safe.Reason, safe.Until, 1)
	j.refuse, nudged = nil, 0
	if err := b.ReleaseHold(t.Context(), "ada", safe.ID); err != nil {
		t.Fatal(err)
	}
	stands("", clock.Stamp{}, 0)
	d := j.all[len(j.all)-1]
	if len(d.Released) != 0 || len(d.Audit) != 1 || d.Audit[0].Verb != "pause.release" || d.Audit[0].Actor != "ada" || d.Audit[0].Object != "hold:safe-mode" || nudged != 1 {
		t.Errorf("released %v, on record %+v, nudged %d times", d.Released, d.Audit, nudged)
	}
	if err := b.ReleaseHold(t.Context(), "ada", safe.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a second time: %v", err)
	}
	b.Load(nil, engine.Hold{}) // the next start was a clean one
	stands("", clock.Stamp{}, 0)
}
