package vigiltest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const ownEffect = `
apiVersion: vigil/v1
kind: Policy
metadata: {name: own}
spec:
  match: sick
  fire: value > 0
  remedy:
    ladder: [{action: notify, with: {to: hook}, timeout: 5s, settle: 0s}]
    verify: {expr: value < 1, within: 30s}
    cooldown: 0s
    limit: {max: 2, per: 1h} # with more, flapping would hold it first
`

// TestBar_HealWhoseOwnEffectBreaches: each act helps, and what it sets off makes
// its target sick again. It acts as often as the limit allows and then holds, and
// says so; it never goes round and round.
func TestBar_HealWhoseOwnEffectBreaches(t *testing.T) {
	var acts atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { acts.Add(1) }))
	defer srv.Close()
	d := Start(t, house(t, ownEffect), quiet+fmt.Sprintf("\n[notify.hook]\nurl = %q\nallow = [\"127.0.0.1\"]\n", srv.URL))
	d.inForce("own")
	tags := map[string]string{"service": "web"}
	d.push("sick", 1, tags)
	for n := int64(1); n <= 2; n++ {
		d.Await(fmt.Sprintf("act %d", n), func() bool { return acts.Load() == n })
		d.Await("its success", func() bool {
			done := 0
			for _, a := range d.actions() {
				if a.State == "succeeded" {
					done++
				}
			}
			if done < int(n) {
				d.push("sick", 0, tags) // it helps: samples after the act say so
			}
			return done == int(n)
		})
		d.push("sick", 1, tags) // and this is what it sets off
	}
	var told string
	d.Await("the hold", func() bool {
		as := d.actions()
		told = fmt.Sprintf("%s %s %s", as[0].State, as[0].Gate, as[0].Reason)
		return strings.HasPrefix(told, "held limits ")
	})
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		d.push("sick", 1, tags)
		<-time.After(50 * time.Millisecond)
	}
	if n := acts.Load(); n != 2 {
		t.Errorf("it acted %d times", n)
	}
	t.Log(told)
}
