package hall_test

import (
	"testing"
	"time"
)

// The original's target globs mean something: a series whose target is another
// gets no firing.
func TestTargetGlobsFilterSeries(t *testing.T) {
	r := start(t, t.TempDir())
	r.put(t, `
policies:
  - name: hot
    target: web-*
    condition: {type: metric_exceeds, metric: heat, threshold: 80}
`)
	now := time.Now().UnixMilli()
	r.push(t, 90, now, "heat", "service", "db-1")
	r.push(t, 90, now, "heat", "service", "web-1")
	until(t, "web-1 fires", func() bool {
		for _, f := range r.Firings() {
			if f.Target == "web-1" {
				return true
			}
		}
		return false
	})
	for _, f := range r.Firings() {
		if f.Target != "web-1" {
			t.Errorf("%s fires under target web-*", f.Target)
		}
	}
}
