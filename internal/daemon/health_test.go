package daemon

import (
	"testing"
	"time"
)

// TestWatchdogNamesThePartThatStandsStill: each part alone, and what only looks
// like standing still.
func TestWatchdogNamesThePartThatStandsStill(t *testing.T) {
	const beat = 10 * time.Second
	now := int64(time.Hour)
	ago := func(d time.Duration) int64 { return now - int64(d) }
	for name, c := range map[string]struct {
		before uint64 // evaluations at the look before
		signs
		want string
	}{
		"all well":                     {5, signs{9, 3, 0.1, ago(time.Second), beat, ago(time.Second)}, ""},
		"nothing to judge":             {5, signs{5, 0, 61, ago(time.Second), beat, ago(time.Second)}, ""},
		"behind, and at work":          {5, signs{6, 9000, 300, ago(time.Second), beat, ago(time.Second)}, ""},
		"at rest for a moment":         {5, signs{5, 9000, 30, ago(time.Second), beat, ago(time.Second)}, ""},
		"the evaluator is stuck":       {5, signs{5, 9000, 61, ago(time.Second), beat, ago(time.Second)}, "evaluator"},
		"a beat is late":               {5, signs{9, 0, 0, ago(still + beat), beat, ago(time.Second)}, ""},
		"the store does not answer":    {5, signs{9, 0, 0, ago(still + 3*beat), beat, ago(time.Second)}, "writer"},
		"the worker does not look":     {5, signs{9, 0, 0, ago(time.Second), beat, ago(still + time.Second)}, "worker"},
		"all stand still, one is told": {5, signs{5, 1, 99, ago(time.Hour), beat, ago(time.Hour)}, "evaluator"},
	} {
		t.Run(name, func(t *testing.T) {
			v := vitals{c.before}
			if got := v.stuck(now, c.signs); got != c.want {
				t.Errorf("%q is stuck, want %q", got, c.want)
			}
		})
	}
}
