package daemon

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
)

// Confirm vouches for the wall clock in somebody's name: who is on record
// before retention by age goes on. It blocks on disk.
func (h *house) Confirm(ctx context.Context, actor string) error {
	return h.confirm(ctx, actor, "a person vouched for the wall clock")
}

func (h *house) confirm(ctx context.Context, actor, why string) error {
	now := h.d.clock()
	_, err := h.ledger.Commit(ctx, &engine.Decision{At: now, Audit: []audit.Record{{
		At: now, Actor: actor, Verb: "clock.confirm", Object: "store:samples", Reason: why,
	}}})
	if err != nil {
		return err
	}
	return h.store.ConfirmClock(ctx)
}

// confirmed vouches for the wall clock by itself where the kernel says that
// something keeps it in step with the world.
func (h *house) confirmed(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	var v vouch
	for {
		if st := h.store.Stats(); v.look(h.d.clock(), st.Era, st.ClockHeld && synchronised()) {
			if err := h.confirm(ctx, "vigild", "the kernel has called the clock synchronised for "+steady.String()); err != nil && ctx.Err() == nil {
				h.d.log.Error("the clock is not confirmed yet", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// steady is how long the kernel must have called the clock synchronised.
const steady = 10 * time.Minute

// vouch decides when a clock that stepped is to be believed: when at every look
// of that long, within one era, it was synchronised. Setting the clock takes that
// word back in the kernel, until a time daemon gives it again.
type vouch struct {
	since clock.Stamp // the first good look; zero: none
	era   uint32
}

// look takes in one look and says whether to vouch now.
func (v *vouch) look(now clock.Stamp, era uint32, good bool) bool {
	if !good {
		v.since = clock.Stamp{}
		return false
	}
	if v.since.IsZero() || v.era != era {
		v.since, v.era = now, era
		return false
	}
	passed, same := now.Sub(v.since)
	return same && passed >= steady
}

// synchronised is the kernel's word on its clock; no word is no.
func synchronised() bool {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil && state != unix.TIME_ERROR
}
