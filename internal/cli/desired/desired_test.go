package desired

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vigil/api/contract"
	"vigil/internal/cli/session"
)

// TestResource_SaysWhenItIsHealedNext: who watches a file that does not come back at
// once has to read why.
func TestResource_SaysWhenItIsHealedNext(t *testing.T) {
	next, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for at, want := range map[*time.Time]string{
		&next: "File/a  drifted, healed again at " + session.Moment(&next) + " (3 in a row already)  (a.yaml:1:1)\n",
		&past: "File/a  drifted  (a.yaml:1:1)\n", nil: "File/a  drifted  (a.yaml:1:1)\n",
	} {
		var out bytes.Buffer
		resource(&session.Session{Streams: session.Streams{Out: &out, Env: []string{"NO_COLOR=1"}}}, contract.Resource{Ref: "File/a", Status: "drifted", Place: "a.yaml:1:1", NextHeal: at, Heals: 3})
		if got := out.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
