package hall_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// TestOutsideActsAskTheGatesOfPeopleAndCauses: what a person stopped, or what a
// deeper cause explains, no outside remediator takes; it is held and says why, and
// is taken when it is let go. A word of what was done already is taken as it is.
func TestOutsideActsAskTheGatesOfPeopleAndCauses(t *testing.T) {
	ctx := context.Background()
	theirs := strings.Replace(breach, "remedy: {ladder: [{action: wait, with: {for: 1s}}]}", "remedy: {external: true, ladder: [{action: their-own}]}", 1)
	hold := func(h engine.Hold) func(*testing.T, *rig) func() {
		return func(t *testing.T, r *rig) func() {
			h.Reason, h.Until = "moving house", clock.System()().Add(time.Hour)
			h, err := r.PutHold(ctx, "token:ann", h)
			if err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := r.ReleaseHold(ctx, "token:ann", h.ID); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for gate, stop := range map[string]func(*testing.T, *rig) func(){
		"pause":     hold(engine.Hold{Kind: engine.HoldPause}),
		"window":    hold(engine.Hold{Kind: engine.HoldSilence, Matchers: `{service="web"}`}),
		"hands_off": hold(engine.Hold{Kind: engine.HoldHandsOff, Subject: "systemd:web.service"}),
		"dependency": func(t *testing.T, r *rig) func() {
			r.push(t, 5, series.NoTime, "deeper_value", "service", "web")
			until(t, "the cause fires", func() bool { return len(r.Firings()) == 2 })
			return func() {
				r.push(t, 0, series.NoTime, "deeper_value", "service", "web")
				until(t, "the cause is gone", func() bool { return r.firing("deeper") == 0 })
			}
		},
	} {
		t.Run(gate, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, strings.NewReplacer("name: breach", "name: deeper", "breach_value", "deeper_value", "remedy: {ladder: [{action: wait, with: {for: 1s}}]}", "").Replace(breach))
			r.put(t, strings.Replace(theirs, "fire: value > 1", "fire: value > 1\n  depends_on: [deeper]", 1))
			r.push(t, 5, series.NoTime, "breach_value", "service", "web")
			until(t, "a remediation is made", func() bool { return len(r.remediations(t)) == 1 })
			id := r.remediations(t)[0].ID
			free := stop(t, r)
			for range 2 { // told once
				before, _, err := r.SetActionStatus(ctx, "token:them", id, "running", "", "")
				if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "by gate "+gate) {
					t.Fatalf("taken from %s: %v", before.State, err)
				}
			}
			m := r.remediations(t)[0]
			if m.State != remedy.Held || m.Gate != gate || m.Reason == "" || m.Lease != "" || m.Until.IsZero() {
				t.Errorf("%s by gate %q: %q, lease %q", m.State, m.Gate, m.Reason, m.Lease)
			}
			if told := r.told(t, "gate.hold"); len(told) != 1 {
				t.Errorf("holds on record: %v", told)
			}
			story, err := r.WhyNot(ctx, "breach", "web")
			if err != nil {
				t.Fatal(err)
			}
			if text := story.Lines[len(story.Lines)-1].Text; !strings.Contains(text, "is held by gate "+gate) || !strings.Contains(text, "looked at again in") {
				t.Errorf("why-not says %q", text)
			}
			free()
			if _, after, err := r.SetActionStatus(ctx, "token:them", id, "running", "", ""); err != nil || after.State != remedy.Running || after.Gate != "" {
				t.Errorf("let go, then taken: %s, %v", after.State, err)
			}
			stop(t, r) // what runs already is not asked again
			if _, after, err := r.SetActionStatus(ctx, "token:them", id, "completed", "", ""); err != nil || after.State != remedy.Verifying {
				t.Errorf("done: %s, %v", after.State, err)
			}
		})
	}
}

// firing counts what of a policy fires.
func (r *rig) firing(policy string) (n int) {
	for _, f := range r.Firings() {
		if f.Policy == policy && f.State == "firing" {
			n++
		}
	}
	return n
}
