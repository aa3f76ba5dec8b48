package remedy

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// grid is the whole life as a person draws it: a row per event, a column per
// state, "-" where the pair is a conflict.
const grid = `
event     queued    held      running       verifying succeeded gave_up   refused cancelled indeterminate failed
claimed   running   running   -             -         -         -         -       -         -             -
leased    running   running   -             -         -         -         -       -         -             -
paused    held      held      -             -         -         gave_up   -       -         -             -
released  queued    queued    -             -         -         -         -       -         -             -
denied    refused   refused   -             -         -         -         -       -         -             -
cleared   cancelled cancelled -             -         -         failed    -       -         -             -
approved  queued    queued    -             -         -         -         -       -         -             -
dropped   cancelled cancelled cancelled     cancelled -         cancelled -       -         cancelled     -
acted     -         -         verifying     -         -         -         -       -         -             -
proved    -         -         -             succeeded -         -         -       -         -             -
retried   queued    queued    queued        queued    -         -         -       -         -             -
climbed   queued    queued    queued        queued    -         -         -       -         -             -
exhausted gave_up   gave_up   gave_up       gave_up   -         -         -       -         gave_up       -
ended     failed    failed    failed        failed    -         -         -       -         failed        -
lost      -         -         indeterminate -         -         -         -       -         -             -
repeated  -         -         queued        -         -         -         -       -         -             -
found     -         -         verifying     -         -         -         -       -         -             -
woke      -         -         -             -         -         queued    -       -         -             -
asked     -         -         -             -         -         queued    queued  queued    queued        queued
judged    -         -         -             -         -         -         -       -         succeeded     -
unasked   -         -         -             cancelled -         -         -       -         -             -
`

// TestLifeEveryPair enumerates every (state, event): the listed ones lead where
// the grid says, all others are conflicts that name both and change nothing.
func TestLifeEveryPair(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(grid), "\n")
	head := strings.Fields(lines[0])[1:]
	if len(lines)-1 != len(Events()) || len(head) != len(States()) || len(life) != len(States()) {
		t.Fatalf("the grid has %d events and %d states, the code %d and %d", len(lines)-1, len(head), len(Events()), len(States()))
	}
	for i, e := range Events() {
		row := strings.Fields(lines[i+1])
		if row[0] != string(e) {
			t.Fatalf("row %d is %s, want %s", i, row[0], e)
		}
		for j, s := range States() {
			if head[j] != string(s) {
				t.Fatalf("column %d is %s, want %s", j, head[j], s)
			}
			got, err := Next(s, e)
			switch want := row[j+1]; {
			case want == "-":
				if fault.KindOf(err) != fault.Conflict || got != s || !strings.Contains(err.Error(), string(s)) || !strings.Contains(err.Error(), string(e)) {
					t.Errorf("%s %s: %s, %v; want a conflict that names both", s, e, got, err)
				}
			case err != nil || string(got) != want:
				t.Errorf("%s %s: %s, %v; want %s", s, e, got, err, want)
			}
		}
	}
}

// kinds is a set of two real little actions.
type kinds struct{}

func (kinds) Names() []string { return []string{"service", "wait"} }

func (kinds) Action(name string) (Action, bool) {
	switch name {
	case "service", "wait":
		return pure(name), true
	}
	return nil, false
}

type pure string

func (p pure) Resolve(q Request) (Spec, error) {
	unit, ok := q.With["unit"].(string)
	switch {
	case p == "wait" && q.With["several"] != nil:
		return Spec{}, fault.Issues{{Place: "with.for", Msg: "for is missing"}, {Place: "with.several", Msg: "no parameter", Hint: "did you mean for?"}}
	case p == "wait":
		return Spec{Subject: "wait", Kind: "wait"}, nil
	case !ok:
		return Spec{}, fault.New(fault.Unprocessable, "unit is missing").At("unit")
	case !strings.HasSuffix(unit, ".service"):
		return Spec{}, fault.New(fault.Unprocessable, "%q is not a unit", unit).At("unit")
	}
	return Spec{Subject: "systemd:" + unit, Kind: "service", Summary: "restart " + unit}, nil
}

func (p pure) Run(context.Context, Request) (Result, error) { return Result{OK: true}, nil }

func ptr[T any](v T) *T { return &v }

func TestPlanCheck(t *testing.T) {
	one := func(g Rung) Plan { return Plan{Ladder: []Rung{g}} }
	for _, tc := range []struct {
		name string
		plan Plan
		want string // "place: part of the text"; "" good
	}{
		{"good", one(Rung{Action: "service", With: map[string]any{"unit": "{{ labels.service }}.service"}}), ""},
		{"value decides", one(Rung{Action: "service", With: map[string]any{"unit": "{{ labels.unit }}"}}), ""},
		{"no ladder", Plan{}, "/ladder: no rung"},
		{"too long", Plan{Ladder: make([]Rung, 17)}, "/ladder: 17 rungs"},
		{"no action", one(Rung{}), "/ladder/0/action: no action"},
		{"unknown", one(Rung{Action: "servce"}), `/ladder/0/action: unknown action "servce" (did you mean "service"?)`},
		{"unknown, external", Plan{External: true, Ladder: []Rung{{Action: "their-own"}}}, ""},
		{"missing parameter", one(Rung{Action: "service"}), "/ladder/0/with/unit: unit is missing"},
		{"missing beside a placeholder", one(Rung{Action: "service", With: map[string]any{"x": "{{ target }}"}}), "/ladder/0/with/unit: unit is missing"},
		{"bad placeholder", one(Rung{Action: "wait", With: map[string]any{"x": []any{"{{ env }}"}}}), "/ladder/0/with: x: {{ env }} is not"},
		{"piped target", Plan{Target: "{{ labels.a | upper }}", Ladder: []Rung{{Action: "wait"}}}, "/target: {{ labels.a | upper }} is not a placeholder"},
		{"single braces", one(Rung{Action: "service", With: map[string]any{"unit": "{labels.service}.service"}}), `/ladder/0/with/unit: "{labels.service}" would be taken as it stands (write {{ labels.service }})`},
		{"single braces in a target", Plan{Target: "{labels.a}", Ladder: []Rung{{Action: "wait"}}}, `/target: "{labels.a}" would be`},
		{"single braces for others", Plan{External: true, Ladder: []Rung{{Action: "their-own", With: map[string]any{"x": []any{"{target}"}}}}}, "/ladder/0/with/x/0: "},
		{"other braces", one(Rung{Action: "wait", With: map[string]any{"x": "{site}"}}), ""},
		{"bad target", Plan{Target: "{{ labels.a", Ladder: []Rung{{Action: "wait"}}}, "/target: "},
		{"tries", one(Rung{Action: "wait", Tries: 101}), "/ladder/0/tries: 101"},
		{"timeout", one(Rung{Action: "wait", Timeout: ptr(dur(48 * time.Hour))}), "/ladder/0/timeout: "},
		{"settle", one(Rung{Action: "wait", Settle: ptr(dur(-1))}), "/ladder/0/settle: "},
		{"cooldown", Plan{Cooldown: ptr(dur(-1)), Ladder: []Rung{{Action: "wait"}}}, "/cooldown: "},
		{"limit", Plan{Limit: &Limit{0, dur(time.Hour)}, Ladder: []Rung{{Action: "wait"}}}, "/limit: max is 0"},
		{"limit per", Plan{Limit: &Limit{1, 0}, Ladder: []Rung{{Action: "wait"}}}, "/limit: per is"},
		{"cost", Plan{Cost: ptr(-1.0), Ladder: []Rung{{Action: "wait"}}}, "/cost: "},
		{"backoff", Plan{Backoff: &Backoff{Factor: 0.5}, Ladder: []Rung{{Action: "wait"}}}, "/backoff: factor"},
		{"approval", Plan{Approval: &Approval{TTL: ptr(dur(0))}, Ladder: []Rung{{Action: "wait"}}}, "/approval/ttl: "},
		{"verify", Plan{Verify: &Verify{Successes: -1}, Ladder: []Rung{{Action: "wait"}}}, "/verify/successes: "},
		{"mode", Plan{Mode: "loud", Ladder: []Rung{{Action: "wait"}}}, "/mode: "},
	} {
		is := tc.plan.Check(kinds{})
		switch {
		case tc.want == "" && len(is) > 0:
			t.Errorf("%s: %v", tc.name, is)
		case tc.want != "" && (len(is) == 0 || !strings.HasPrefix(is[0].String(), tc.want)):
			t.Errorf("%s: %v, want %s", tc.name, is, tc.want)
		}
	}
	several := one(Rung{Action: "wait", With: map[string]any{"several": true}})
	want := "/ladder/0/with/for: for is missing\n/ladder/0/with/several: no parameter (did you mean for?)"
	if is := several.Check(kinds{}); is.Error() != want {
		t.Errorf("several wrong parameters, each with its place: %v, want %s", is, want)
	}
	p := one(Rung{Action: "anything", With: map[string]any{"x": "{{ labels.y }}"}})
	if is := p.Check(nil); len(is) != 0 {
		t.Errorf("without a catalogue: %v", is)
	}
}

func TestConfig(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	c := Defaults()
	c.Workers, c.Break.Cap, c.Budget.Refill, c.KindLimits["x"] = 0, 1, 0, Limit{}
	var is fault.Issues
	if !errors.As(c.Validate(), &is) || len(is) != 5 {
		t.Errorf("%v", c.Validate())
	}
}

// TestDefaultsAreTheTable holds the defaults to the ones that are promised.
func TestDefaultsAreTheTable(t *testing.T) {
	c := Defaults()
	for name, ok := range map[string]bool{
		"cooldown 1m":          c.Cooldown == dur(time.Minute),
		"limit 4/h":            c.Limit == Limit{4, dur(time.Hour)},
		"policy 20/h":          c.PolicyLimit == Limit{20, dur(time.Hour)},
		"kind 60/h":            c.KindLimit == Limit{60, dur(time.Hour)},
		"reboot 2/day":         c.KindLimits["reboot"] == Limit{2, dur(24 * time.Hour)},
		"budget 100 + 10/h":    c.Budget == BudgetConfig{100, 10},
		"storm 5 in 2m for 5m": c.Storm == StormConfig{5, dur(2 * time.Minute), dur(5 * time.Minute)},
		"breaker 3: 15m to 6h": c.Break == BreakerConfig{3, dur(15 * time.Minute), dur(6 * time.Hour)},
		"backoff 2s x2 to 5m":  c.Backoff == Backoff{dur(2 * time.Second), 2, dur(5 * time.Minute), dur(10 * time.Minute)},
		"tries 1":              c.Tries == 1,
		"verify 60s, 1":        c.Within == dur(time.Minute) && c.Successes == 1,
		"settle 5s":            c.Settle == dur(5*time.Second),
		"approval 1h":          c.ApprovalTTL == dur(time.Hour),
		"gave_up 1h to 24h":    c.GaveUpRetry == dur(time.Hour) && c.GaveUpCap == dur(24*time.Hour),
		"indeterminate 24h":    c.Unseen == dur(24*time.Hour),
		"capture on":           c.Capture,
	} {
		if !ok {
			t.Errorf("%s does not hold", name)
		}
	}
}

func TestTargetOf(t *testing.T) {
	r := Remediation{Labels: map[string]string{"service": "web"}}
	if got, err := TargetOf(Plan{Target: "{{ labels.service }}"}, r); got != "web" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if got, err := TargetOf(Plan{}, r); got != "" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// TestRequestSaysWhy: an act is told why it is, whoever asked for it; what held it
// meanwhile is not why.
func TestRequestSaysWhy(t *testing.T) {
	for want, r := range map[string]Remediation{
		"the disk is full":                 {Details: "the disk is full", Reason: "queued"},
		"asked over the API":               {Reason: "asked over the API"},
		"":                                 {Gate: GateApproval, Reason: "waits until it is approved"},
		"policy hot fired: fire is true":   {Policy: "hot", Reason: "fired: fire is true"},
		"policy hot did not help: no":      {Policy: "hot", Reason: "did not help: no", Rung: 1},
		"policy hot fires":                 {Policy: "hot", Gate: GateCooldown, Reason: "held by cooldown"},
		"policy cold fires":                {Policy: "cold"},
		"/etc/motd differs in its content": {Source: FromReconcile, Reason: "/etc/motd differs in its content"},
	} {
		r.Plan = Plan{Ladder: []Rung{{Action: "wait"}, {Action: "wait"}}}
		if q, err := r.Request(); err != nil || q.Reason != want {
			t.Errorf("%+v: told %q, %v; want %q", r, q.Reason, err, want)
		}
		if r.Severity = "critical"; r.Rung == 1 {
			if q, err := r.Request(); err != nil || q.Severity != "critical" || q.Rung != 1 {
				t.Errorf("told %q of rung %d, %v", q.Severity, q.Rung, err)
			}
		}
	}
}

// TestOnlyTheKeeperTakesBack: labels are anybody's; an act takes back what was done only
// where the keeper of the desired state says so.
func TestOnlyTheKeeperTakesBack(t *testing.T) {
	for _, s := range []Source{FromPolicy, FromAPI, FromReconcile, FromExternal, ""} {
		for _, l := range []string{"yes", "no", ""} {
			r := Remediation{Source: s, Labels: map[string]string{LabelBack: l}, Plan: Plan{Ladder: []Rung{{Action: "file"}}}}
			if q, err := r.Request(); err != nil || q.Back != (s == FromReconcile && l == "yes") {
				t.Errorf("from %q, labelled %q: %v %v", s, l, q.Back, err)
			}
		}
	}
}

func moment(d time.Duration) clock.Stamp {
	return clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}.Add(d)
}
