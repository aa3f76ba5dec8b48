package units

import (
	"testing"
	"time"
)

// TestHand_TheGatesTakeOver: a stop by hand is refused by the action itself only
// until the hold is on disk and what had passed the gates before is done; from
// then on who takes the hold away is believed at once.
func TestHand_TheGatesTakeOver(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		name  string
		do    func(*hand)
		after time.Duration
		holds bool
	}{
		{"a moment ago", func(*hand) {}, time.Second, true},
		{"the hold is late", func(*hand) {}, moment, true},
		{"long ago", func(*hand) {}, moment + time.Second, false},
		{"recorded, an act is on its way", func(h *hand) { h.recorded("web.service", at.Add(time.Millisecond)) }, rest, true},
		{"recorded", func(h *hand) { h.recorded("web.service", at.Add(time.Millisecond)) }, rest + time.Second, false},
		{"another one is recorded", func(h *hand) { h.recorded("db.service", at) }, rest + time.Second, true},
		{"runs again", func(h *hand) { h.started("web.service") }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h hand
			h.stopped("web.service", at)
			tt.do(&h)
			if got := h.justStopped("web.service", at.Add(tt.after)); got != tt.holds {
				t.Errorf("held back: %v, wanted %v", got, tt.holds)
			}
			if h.justStopped("db.service", at) {
				t.Error("a unit that nobody stopped is held back")
			}
		})
	}
}
