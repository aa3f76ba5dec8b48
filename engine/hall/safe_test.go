package hall

import (
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
)

// TestSafeMode: three unclean starts close together, or a ledger that was lost,
// which is all that knew what a person had stopped.
func TestSafeMode(t *testing.T) {
	now := clock.Stamp{Wall: int64(1e15), Boot: int64(5 * time.Hour), BootID: "b"}
	ago := func(ds ...time.Duration) (out []clock.Stamp) {
		for _, d := range ds {
			out = append(out, now.Add(-d))
		}
		return out
	}
	for _, tc := range []struct {
		what string
		snap engine.Snapshot
		want string
	}{
		{"nothing", engine.Snapshot{}, ""},
		{"two starts", engine.Snapshot{UncleanStarts: ago(time.Minute, 2*time.Minute)}, ""},
		{"three starts", engine.Snapshot{UncleanStarts: ago(time.Minute, 2*time.Minute, 9*time.Minute)}, "3 unclean starts"},
		{"three in an hour", engine.Snapshot{UncleanStarts: ago(time.Minute, 2*time.Minute, time.Hour)}, ""},
		{"a lost ledger", engine.Snapshot{Replaced: "ledger.db is no database"}, "is no database"},
	} {
		h := safeMode(&tc.snap, now)
		if tc.want == "" && h.ID != "" || !strings.Contains(h.Reason, tc.want) {
			t.Errorf("%s: %+v", tc.what, h)
		}
		if d, _ := h.Until.Sub(now); tc.want != "" && (h.Kind != engine.HoldPause || d != 30*time.Minute) {
			t.Errorf("%s: %s for %s", tc.what, h.Kind, d)
		}
	}
}
