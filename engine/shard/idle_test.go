package shard

import (
	"context"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/remedy"
)

// last is a ledger whose newest remediation is this one.
type last struct {
	engine.Reader
	r remedy.Remediation
}

func (l last) Remediations(context.Context, engine.RemediationFilter) ([]remedy.Remediation, int, error) {
	return []remedy.Remediation{l.r}, 1, nil
}

// TestActedOnAgainAfterTheCooldown: a firing that lasts is acted on again after the
// cool-down of its remedy, else that of the configuration, and no sooner.
func TestActedOnAgainAfterTheCooldown(t *testing.T) {
	now := clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
	own := document.Duration(20 * time.Second)
	for name, c := range map[string]struct {
		own  *document.Duration
		all  time.Duration
		ago  time.Duration
		idle bool
	}{
		"too soon after the configured one":  {nil, 10 * time.Minute, 9 * time.Minute, false},
		"after the configured one":           {nil, 10 * time.Minute, 10 * time.Minute, true},
		"a configured one below the default": {nil, 5 * time.Second, 6 * time.Second, true},
		"the remedy's own comes first":       {&own, 10 * time.Minute, 21 * time.Second, true},
		"and is kept":                        {&own, 0, 19 * time.Second, false},
		"none is a second":                   {nil, 0, 500 * time.Millisecond, false},
	} {
		ended := now.Add(-c.ago)
		k := &Core{Reader: last{r: remedy.Remediation{State: remedy.Succeeded, Created: ended, Finished: ended}}, Cooldown: c.all}
		x := &Instance{En: &Entry{Name: "hot", P: Policy{Doc: engine.PolicyDocument{Remedy: &remedy.Plan{Cooldown: c.own}}}}}
		x.Row.State.Fired = now.Add(-time.Hour)
		r, ok := k.raise(x)
		if got := k.idle(t.Context(), r, now); got != c.idle || !ok {
			t.Errorf("%s: %v, asked about %v", name, got, ok)
		}
	}
}

// TestWhatStandsIsActedOnAgain: a firing that stands is acted on again when what was
// under way for it was withdrawn because its condition had gone for a moment, whether
// it waited or had given up; what a person ended stays ended.
func TestWhatStandsIsActedOnAgain(t *testing.T) {
	now := clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
	ended := now.Add(-10 * time.Minute)
	for name, c := range map[string]struct {
		last remedy.Remediation
		idle bool
	}{
		"withdrawn":                       {remedy.Remediation{State: remedy.Cancelled, Gate: remedy.GateRecheck}, true},
		"withdrawn after it had given up": {remedy.Remediation{State: remedy.Failed, Gate: remedy.GateRecheck}, true},
		"refused, its data had gone":      {remedy.Remediation{State: remedy.Refused, Gate: remedy.GateRecheck}, true},
		"refused by another gate":         {remedy.Remediation{State: remedy.Refused, Gate: remedy.GateApproval}, false},
		"cancelled by a person":           {remedy.Remediation{State: remedy.Cancelled}, false},
		"called failed by a person":       {remedy.Remediation{State: remedy.Failed}, false},
		"given up, and will wake":         {remedy.Remediation{State: remedy.GaveUp}, false},
	} {
		c.last.Created, c.last.Finished = ended, ended
		k := &Core{Reader: last{r: c.last}, Cooldown: time.Minute}
		x := &Instance{En: &Entry{Name: "hot", P: Policy{Doc: engine.PolicyDocument{Remedy: &remedy.Plan{}}}}}
		x.Row.State.Fired = now.Add(-time.Hour)
		r, _ := k.raise(x)
		if got := k.idle(t.Context(), r, now); got != c.idle {
			t.Errorf("%s: %v", name, got)
		}
	}
}
