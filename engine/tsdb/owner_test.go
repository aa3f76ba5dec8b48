package tsdb

import (
	"testing"

	"vigil/engine/series"
)

// TestWhatACheckWritesNobodyElseDoes: whatever it is called and whoever was there
// first, over a crash and over a restart; others of that name go on.
func TestWhatACheckWritesNobodyElseDoes(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeriesPerToken = 3 })
	token := func(b *series.Batch) { b.Token = "t" }
	open := func(b *series.Batch) { b.Open = true }
	own := func(b *series.Batch) { b.Own = true }
	now := r.clock.ms()
	fresh, taken, other := name("up", "job", "node"), name("up", "job", "web"), name("up", "job", "db")
	push := func(when string, ls series.Labels, who func(*series.Batch), want series.Reason) {
		t.Helper()
		now++
		it, err := r.push(ls, now, 1, who)
		if err != nil || it.Reason != want || (it.Hi > it.Lo) != (want == series.Accepted) {
			t.Errorf("%s: %s: %v %v, want %v", when, ls, it.Reason, err, want)
		}
	}
	push("first", taken, token, series.Accepted)
	push("again, by what is known", taken, token, series.Accepted)
	push("another", other, token, series.Accepted)
	push("a check", fresh, own, series.Accepted)
	push("a check takes over", taken, own, series.Accepted)
	all := func(when string) {
		t.Helper()
		for range 2 { // by the slow path and by what that remembered
			push(when, fresh, token, series.LocalName)
			push(when, taken, token, series.LocalName)
			push(when, fresh, own, series.Accepted)
			push(when, taken, own, series.Accepted)
			push(when, other, token, series.Accepted)
			push(when, fresh, open, series.Accepted) // beside it, marked
		}
	}
	all("at once")
	restarted := func(when string) {
		t.Helper()
		r.start(0)
		push(when+", before any check", fresh, token, series.LocalName)
		push(when+", before any check", taken, token, series.LocalName)
		all(when)
	}
	r.die()
	restarted("after a crash")
	r.stop()
	restarted("after a stop")
	// What was taken over is not in the share of its sender any more.
	push("within the cap", name("a"), token, series.Accepted)
	push("within the cap", name("b"), token, series.Accepted)
	push("over the cap", name("c"), token, series.SeriesCap)
	for _, ls := range []series.Labels{fresh, taken} {
		for _, p := range r.all(ls) {
			if p.V != 1 {
				t.Errorf("%s: %v", ls, p)
			}
		}
	}
}
