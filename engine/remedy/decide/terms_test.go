package decide

import (
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// TestVerificationHasItsWholeTime: however far a verification had come when vigild
// stopped, it is given as long as any other once it goes on.
func TestVerificationHasItsWholeTime(t *testing.T) {
	c, err := New(remedy.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	settle, within := c.Settle.Std(), c.Within.Std()
	end := clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
	for name, tt := range map[string]struct {
		now  clock.Stamp
		want time.Duration // from now on
	}{
		"just after the act": {end, settle + within},
		"while it settles":   {end.Add(settle / 2), settle/2 + within},
		"as it begins":       {end.Add(settle), within},
		"half-way":           {end.Add(settle + within/2), within},
		"long after":         {end.Add(settle + 10*within), within},
		"after another boot": {clock.Stamp{Wall: end.Wall, Boot: int64(time.Minute), BootID: "b"}, settle + within},
	} {
		after, deadline := c.Times(&remedy.Remediation{AttemptEnd: end}, tt.now)
		if d, same := deadline.Sub(tt.now); d != tt.want || !same || after != end.Add(settle) {
			t.Errorf("%s: %s, from %+v on; want %s", name, d, after, tt.want)
		}
	}
}
