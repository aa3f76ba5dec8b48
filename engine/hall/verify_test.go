package hall_test

import (
	"context"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// TestPolicyThatGoesWhileItsActIsVerified: whether the policy goes before the
// verification begins or while it waits for samples, nothing says that the act
// helped, and nothing says that it failed.
func TestPolicyThatGoesWhileItsActIsVerified(t *testing.T) {
	for name, wait := range map[string]bool{"before": false, "meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, breach)
			r.push(t, 5, series.NoTime, "breach_value", "service", "web")
			until(t, "a remediation", func() bool { return len(r.remediations(t)) == 1 })
			x := r.remediations(t)[0]
			if f, err := r.Judge.Facts(context.Background(), x, remedy.Spec{}); err != nil || f.Values["value"] != "5" {
				t.Errorf("what the act would be told: %v, %v", f.Values, err)
			}
			within := time.Minute
			if wait {
				within = time.Second
			}
			now := clock.System()()
			said := make(chan remedy.Verification, 1)
			ask := func() {
				v, err := r.Judge.Verify(context.Background(), x, now, now.Add(within))
				if err != nil {
					t.Error(err)
				}
				said <- v
			}
			if wait {
				go ask()
			}
			if err := r.DeletePolicy(context.Background(), "ann", "breach"); err != nil {
				t.Fatal(err)
			}
			if !wait {
				go ask()
			}
			if v := <-said; v.OK || !v.Unasked {
				t.Errorf("%+v", v)
			}
		})
	}
}
