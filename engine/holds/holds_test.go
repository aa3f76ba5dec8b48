package holds_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/holds"
	"vigil/engine/remedy"
)

// TestPaused_UntilTheLastEnds: of several pauses the one that ends last is told,
// whichever was asked for first.
func TestPaused_UntilTheLastEnds(t *testing.T) {
	now := clock.Stamp{Wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro(), Boot: 1, BootID: "b"}
	for _, lengths := range [][]time.Duration{{time.Minute, time.Hour}, {time.Hour, time.Minute}, {time.Minute, time.Hour, time.Second}} {
		b := holds.New(&journal{}, func() clock.Stamp { return now }, nil, func() {})
		for _, l := range lengths {
			if _, err := b.PutHold(t.Context(), "ada", engine.Hold{Kind: engine.HoldPause, Reason: l.String(), Until: now.Add(l)}); err != nil {
				t.Fatal(err)
			}
		}
		if why, until := b.Paused(now); why != "1h0m0s (ada)" || until != now.Add(time.Hour) {
			t.Errorf("%v: %q until %v", lengths, why, until.Time())
		}
	}
}

// TestHandsOff_ByWhateverName: a word about an alias is one about what it names, and
// what is called so no more is left alone no more.
func TestHandsOff_ByWhateverName(t *testing.T) {
	now := clock.Stamp{Wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro(), Boot: 1, BootID: "b"}
	known := map[string]string{"systemd:www.service": "systemd:web.service"}
	b := holds.New(&journal{}, func() clock.Stamp { return now }, func(s string) string { return cmp.Or(known[s], s) }, func() {})
	if _, err := b.PutHold(t.Context(), "ada", engine.Hold{Kind: engine.HoldHandsOff, Subject: "systemd:www.service", Reason: "mine", Until: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	left := func(subject string) bool {
		f := remedy.Facts{Spec: remedy.Spec{Subject: subject}}
		b.Facts(&f, remedy.Remediation{Source: remedy.FromPolicy}, now)
		return f.HandsOff != ""
	}
	if !left("systemd:web.service") || left("systemd:db.service") || left("") {
		t.Error("hands off www is not hands off web alone")
	}
	delete(known, "systemd:www.service")
	if left("systemd:web.service") || !left("systemd:www.service") {
		t.Error("www is a unit of its own now")
	}
}

// TestPutHold_NotByAMetric: a bare word is read as the name of a metric, which no
// remediation has; the silence would look right and hold nothing.
func TestPutHold_NotByAMetric(t *testing.T) {
	now := clock.Stamp{Wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro(), Boot: 1, BootID: "b"}
	b := holds.New(&journal{}, func() clock.Stamp { return now }, nil, func() {})
	for text, good := range map[string]bool{"web": false, `web{a="b"}`: false, `{__name__="web"}`: false, `service="web"`: true, `{policy="web"}`: true, "": true} {
		_, err := b.PutHold(t.Context(), "ada", engine.Hold{Kind: engine.HoldSilence, Matchers: text, Reason: "quiet", Until: now.Add(time.Hour)})
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), `policy="web"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
