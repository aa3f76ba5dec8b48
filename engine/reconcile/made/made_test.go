package made_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"vigil/engine/document"
	"vigil/engine/reconcile/made"
)

// TestRead_GivesTheFieldsBack: of every text that fields make, and of no other.
func TestRead_GivesTheFieldsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := rapid.Custom(func(t *rapid.T) document.Duration {
			return document.Duration(time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "s")) * time.Second)
		})
		timer := made.Timer{
			Unit: "a.service", OnCalendar: rapid.SliceOfN(rapid.StringMatching(`[A-Za-z0-9*/,:.~-]{1,9}`), 0, 3).Draw(t, "calendar"),
			OnBoot: long.Draw(t, "boot"), Every: long.Draw(t, "every"), RandomizedDelay: long.Draw(t, "delay"), Persistent: rapid.Bool().Draw(t, "persistent"),
		}
		text := timer.Text("Timer/a")
		if got, ok := made.ReadTimer("Timer/a", text); !ok || !cmp.Equal(got, timer, cmpopts.EquateEmpty()) {
			t.Fatalf("%+v (%v), want %+v\n%s", got, ok, timer, text)
		}
		if _, ok := made.ReadTimer("Timer/a", append(text, rapid.SampledFrom([]string{"#", "\n", "OnCalendar=x\n", "WantedBy=x\n"}).Draw(t, "more")...)); ok {
			t.Fatal("what no fields make was taken")
		}
		cron := made.Cron{
			Schedule: rapid.SampledFrom([]string{"@daily", "30 3 * * *", "*/5 * * JAN MON-FRI"}).Draw(t, "schedule"), User: "root",
			Command: append([]string{"/bin/x"}, rapid.SliceOfN(rapid.StringMatching(`[ -~]{1,9}`), 0, 4).Draw(t, "words")...),
			Env:     rapid.MapOfN(rapid.StringMatching(`[A-Z_]{1,4}`), rapid.StringMatching(`[ !#-&(-~]{0,9}`), 0, 3).Draw(t, "env"),
		}
		text = cron.Text("Cron/a")
		if got, ok := made.ReadCron("Cron/a", text); !ok || !cmp.Equal(got, cron, cmpopts.EquateEmpty()) {
			t.Fatalf("%+v (%v), want %+v\n%s", got, ok, cron, text)
		}
		// Whatever somebody made of it: nothing is taken that is not given back.
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		changed := string(text[:at]) + rapid.StringMatching(`[ -~\n]?`).Draw(t, "instead") + string(text[at+1:])
		if got, ok := made.ReadCron("Cron/a", []byte(changed)); ok && string(got.Text("Cron/a")) != changed {
			t.Fatalf("%q was taken for %+v", changed, got)
		}
	})
	for _, text := range []string{"", "\n", "# kept by vigild: Cron/a\n", strings.Repeat("'", 100)} {
		if _, ok := made.ReadCron("Cron/a", []byte(text)); ok {
			t.Errorf("%q", text)
		}
		if _, ok := made.ReadTimer("Timer/a", []byte(text)); ok {
			t.Errorf("%q", text)
		}
	}
}
