package vigiltest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vigil/api/contract"
)

// A breach was acknowledged, and vigild died before it was decided: it is found
// and acted on after the restart, once, without another sample. Once it was
// decided its attempt is open on disk too: whether it was carried out is asked
// where it can be asked, and an act that cannot be asked for is not done again. A
// daemon that does not look again at what was not decided is found out by the
// same story.
func TestBreachAcknowledgedBeforeTheCrash(t *testing.T) {
	tests := []struct {
		name  string
		point string
		plant string
		probe bool // the act can be asked for
		want  int  // acts
	}{
		{"decided after the restart", "decision.before:1", "", false, 1},
		{"decided before the crash", "decision.after:1", "", true, 1},
		{"decided before the crash, and nobody can say", "decision.after:1", "", false, 0},
		{"a planted bug: nothing is replayed", "decision.before:1", "VIGIL_PLANT=replay", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, 1)
			if tt.probe {
				put(t, l.effects(), "")
				l.configure(fmt.Sprintf("class = \"probed\"\nprobe = [\"/usr/bin/grep\", \"-q\", \"once\", %q]\n", l.effects()))
			}
			l.mustBeReady(Pointed, "VIGIL_CRASH_POINT="+tt.point)
			status, text, err := l.ask(t.Context(), "POST", "/api/v1/ingest", breached("once", 1))
			switch {
			case strings.HasPrefix(tt.point, "decision.before") && (err != nil || status != http.StatusCreated):
				t.Fatalf("the breach was not acknowledged: %d %s %v", status, text, err)
			case !Until(l.dead):
				t.Fatal("the daemon did not die at its point")
			}
			l.kill()

			binary, env := Binary, []string(nil)
			if tt.plant != "" {
				binary, env = Pointed, []string{tt.plant}
			}
			l.mustBeReady(binary, env...)
			if tt.want == 0 {
				wait(1000, t.Context().Done())
				if n := len(l.readEffects()); n != 0 {
					t.Errorf("%d acts, expected none", n)
				}
				var c checker
				c.lane, c.m = l, newModel()
				c.actions(t.Context())
				switch {
				case tt.plant != "":
				case len(c.acts) != 1 || slices.ContainsFunc(c.acts, func(a contract.Action) bool { return a.State != "indeterminate" }):
					t.Errorf("remediations %+v, expected one that is indeterminate", c.acts)
				}
				return
			}
			if tt.probe {
				// What was queued before the start waits for a sample since the start.
				if status, text, err := l.ask(t.Context(), "POST", "/api/v1/ingest", breached("once", 1)); err != nil || status != http.StatusCreated {
					t.Fatalf("%d %s %v", status, text, err)
				}
			}
			if !Until(func() bool { return len(l.readEffects()) > 0 }) {
				t.Fatalf("the breach was not acted on:\n%s", l.log)
			}
			l.kill() // once more: what was done is not done again
			l.mustBeReady(binary, env...)
			for _, v := range []float64{1, 0} {
				if status, text, err := l.ask(t.Context(), "POST", "/api/v1/ingest", breached("once", v)); err != nil || status != http.StatusCreated {
					t.Fatalf("%d %s %v", status, text, err)
				}
			}
			var c checker
			c.lane, c.m = l, newModel()
			c.m.breaches["once"] = true
			if bad := c.settle(t.Context()); len(bad) > 0 {
				t.Error(strings.Join(bad, "\n"))
			}
			if e := l.readEffects(); len(e) != 1 || e[0].Target != "once" {
				t.Errorf("acts %+v, expected one", e)
			}
			if len(c.acts) != 1 {
				t.Errorf("%d remediations, expected one", len(c.acts))
			}
		})
	}
}
