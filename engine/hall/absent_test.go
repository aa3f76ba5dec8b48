package hall_test

import (
	"testing"

	"vigil/engine/series"
)

// TestWhatIsAbsentEndsWithItsSeries: a selector that nothing matches fires for itself,
// over a change of its policy too, until the first series that matches.
func TestWhatIsAbsentEndsWithItsSeries(t *testing.T) {
	gone := `
apiVersion: vigil/v1
kind: Policy
metadata: {name: gone}
spec:
  match: heartbeat{job="a"}
  fire: absent("1s")
`
	for name, then := range map[string]string{"at once": "", "over a change": "  clear_for: 1s\n", "over a change of what is asked": "  severity: critical\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir()) // nothing is measured: no sample wakes anybody
			r.put(t, gone)
			fires := func() bool { fs := r.Firings(); return len(fs) == 1 && fs[0].State == "firing" }
			until(t, "it fires", fires)
			if then != "" {
				r.put(t, gone+then)
				until(t, "it still fires", fires)
			}
			r.push(t, 1, series.NoTime, "heartbeat", "job", "a", "host", "x")
			until(t, "nothing is absent", func() bool { return len(r.Firings()) == 0 })
		})
	}
}
