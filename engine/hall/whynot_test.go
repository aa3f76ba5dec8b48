package hall_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// why-not tells of the gate that would stand in the way before anything is under
// way, so that a person who silenced too much finds out while all is well.
func TestWhyNotAsksTheGatesAhead(t *testing.T) {
	ctx := context.Background()
	hold := func(kind engine.HoldKind, matchers string) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			h := engine.Hold{Kind: kind, Matchers: matchers, Reason: "moving the racks", Until: clock.System()().Add(time.Hour)}
			if _, err := r.PutHold(ctx, "ann", h); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		mode string
		do   func(*testing.T, *rig)
		want string
	}{
		"nothing":         {"act", func(*testing.T, *rig) {}, ""},
		"pause":           {"act", hold(engine.HoldPause, ""), "if it fired now, its act would be stopped by gate pause: paused: moving the racks (ann)"},
		"silence":         {"act", hold(engine.HoldSilence, `{service="web"}`), "by gate window: silence"},
		"another silence": {"act", hold(engine.HoldSilence, `{service="db"}`), ""},
		"suggest":         {"suggest", func(*testing.T, *rig) {}, "by gate mode: "},
		"shadow":          {"shadow", func(*testing.T, *rig) {}, "by gate mode: shadow"},
		"not ours to act": {"act", func(t *testing.T, r *rig) {
			r.put(t, strings.Replace(breach, "{ladder:", "{external: true, ladder:", 1))
			hold(engine.HoldPause, "")(t, r)
		}, "by gate pause: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, strings.Replace(breach, "match:", "mode: "+c.mode+"\n  match:", 1))
			r.push(t, 0, series.NoTime, "breach_value", "service", "web")
			until(t, "it is watched", func() bool { v, err := r.Policy("breach"); return err == nil && v.Instances == 1 })
			c.do(t, r)
			story := r.ahead(t)
			asked(t, story, c.want)
			if n := len(r.remediations(t)); n != 0 {
				t.Errorf("asking made %d remediations", n)
			}
		})
	}
}

// ahead is what why-not says of the policy breach and the target web, once a
// sample has come.
func (r *rig) ahead(t *testing.T) (got string) {
	t.Helper()
	until(t, "a sample has come", func() bool {
		if v, err := r.Policy("breach"); err != nil || v.Instances != 1 {
			return false
		}
		story, err := r.WhyNot(t.Context(), "breach", "web")
		if err != nil {
			t.Fatal(err)
		}
		got = text(story)
		return !strings.Contains(got, "no sample has come")
	})
	return got
}

// asked compares what why-not says with the gate that should be named; "" is none.
func asked(t *testing.T, got, want string) {
	t.Helper()
	switch {
	case want == "" && strings.Contains(got, "by gate"):
		t.Errorf("nothing stands in the way, and it says\n%s", got)
	case !strings.Contains(got, want):
		t.Errorf("it says\n%s\nwant %s", got, want)
	}
}

func text(s engine.Story) string {
	var out []string
	for _, l := range s.Lines {
		out = append(out, l.Text)
	}
	return strings.Join(out, "\n")
}
