package vigilsim

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"vigil/engine"
	"vigil/engine/remedy"
)

// lookEvery is how often all that is under way is looked at.
const lookEvery = 10 * time.Minute

// slack is how much later than its time something may be seen to.
const slack = 2 * time.Minute

// look holds what is under way against what may be: one remediation a firing, nothing
// past its time, nothing that nobody is at work on.
func (s *sim) look() {
	if s.life == nil {
		return
	}
	synctest.Wait() // nothing is looked at between two steps of what happens at this very moment
	if s.life.door.shut.Load() {
		return
	}
	w, now := s.world, time.Now()
	w.mu.Lock()
	young := now.Sub(w.began) < 10*time.Minute
	acting := map[int64]bool{}
	for _, a := range w.acts {
		if a.ended.IsZero() {
			acting[a.id] = true
		}
	}
	w.mu.Unlock()
	if young {
		return
	}
	rs, _, err := s.life.ledger.Remediations(context.Background(), engine.RemediationFilter{
		States: []remedy.State{remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying, remedy.GaveUp, remedy.Indeterminate}, Limit: 500,
	})
	if err != nil {
		s.err("looking at what is under way", err)
		return
	}
	alive := map[string]int64{}
	for _, r := range rs {
		if why := s.late(r, now, acting[r.ID]); why != "" {
			s.say("remediation %d of %s, %s: %s", r.ID, r.Policy, r.State, why)
		}
		if r.Policy == "" || s.swayed[r.ID] { // a person may ask again for an old one beside a new one
			continue
		}
		key := fmt.Sprint(r.Policy, r.Fingerprint)
		if o := alive[key]; o != 0 {
			s.say("remediations %d and %d are under way for one firing of %s on %s", r.ID, o, r.Policy, r.Target)
		}
		alive[key] = r.ID
	}
}

// late says what is overdue about a remediation, "" nothing.
func (s *sim) late(r remedy.Remediation, now time.Time, acting bool) string {
	c := s.house.clocks
	past := func(at time.Time) bool { return now.Sub(at) > slack }
	if !r.Until.IsZero() && r.Until.BootID != c.bootID() {
		return "" // its time is counted anew
	}
	switch r.State {
	case remedy.Queued, remedy.Held, remedy.GaveUp, remedy.Indeterminate:
		switch {
		case r.Until.IsZero() && r.State != remedy.Queued:
			return "it waits for ever"
		case !r.Until.IsZero() && past(c.when(r.Until)):
			return "its time was " + now.Sub(c.when(r.Until)).String() + " ago"
		case r.Until.IsZero() && past(c.when(r.Created)) && r.Attempt == 0:
			return "it was made " + now.Sub(c.when(r.Created)).String() + " ago and is due"
		}
	case remedy.Running:
		if !acting && past(c.when(r.Started)) && (r.AttemptEnd.IsZero() || past(c.when(r.AttemptEnd))) {
			return "nobody is at work on it"
		}
	case remedy.Verifying:
		if end := c.when(r.AttemptEnd).Add(5 * time.Minute); past(end) && r.AttemptEnd.BootID == c.bootID() {
			return "it is still verified"
		}
	}
	return ""
}
