package hall_test

import (
	"context"
	"testing"

	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// TestFiresAgainWhileItsActIsVerified: a condition that was away for a moment while
// the act for it was verified has its remediation: a second ladder beside it would be
// climbed for the same thing. Once that one is over, the next firing has its own at
// once.
func TestFiresAgainWhileItsActIsVerified(t *testing.T) {
	for name, then := range map[string]remedy.State{"it is still verified": remedy.Verifying, "it is over": remedy.Succeeded, "it gave up": remedy.GaveUp} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, breach)
			at := clock.System()().Millis()
			push := func(v float64, want bool) {
				at++
				r.push(t, v, at, "breach_value", "service", "web")
				until(t, "it is as the sample says", func() bool {
					fs := r.Firings()
					return want == (len(fs) == 1 && fs[0].State == policy.StateFiring)
				})
			}
			become := func(s remedy.State) {
				t.Helper()
				x := r.remediations(t)[0]
				v := x.Version
				x.State, x.AttemptEnd = s, clock.System()()
				if s.Final() {
					x.Finished = x.AttemptEnd
				}
				if err := r.ledger.Apply(context.Background(), v, remedy.Move{Next: x}); err != nil {
					t.Fatal(err)
				}
			}
			push(5, true)
			until(t, "a remediation is made", func() bool { return len(r.remediations(t)) == 1 })
			become(remedy.Verifying)
			push(0, false)
			want := 1
			if then != remedy.Verifying {
				become(then)
				want = 2
			}
			push(5, true)
			until(t, "it is on record", func() bool { return len(r.told(t, "firing.fire")) == 2 })
			if n := len(r.remediations(t)); n != want {
				t.Errorf("%d remediations, want %d", n, want)
			}
			for _, x := range r.remediations(t)[1:] {
				if x.State == remedy.GaveUp {
					t.Error("the first waits beside the second")
				}
			}
		})
	}
}
