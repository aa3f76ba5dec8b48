package session

import (
	"strings"
	"testing"

	"vigil/api/contract"
	"vigil/engine/fault"
)

// TestHoldsByTheBeginOfTheirIDs: what is shown of each id finds that hold and no other;
// what begins several, or is too short to be meant, finds none.
func TestHoldsByTheBeginOfTheirIDs(t *testing.T) {
	var hs []contract.Hold
	for _, id := range []string{"019abc00000deadbeef", "019abc00000deadbee0", "019abc11111deadbeef", "019abd00000deadbeef", "deploy-freeze", "deploy"} {
		hs = append(hs, contract.Hold{ID: id})
	}
	for i, want := range []string{"019abc00000deadbeef", "019abc00000deadbee0", "019abc11", "019abd00", "deploy-freeze", "deploy"} {
		got := apart(hs[i].ID, hs)
		if got != want {
			t.Errorf("%s is shown as %s, want %s", hs[i].ID, got, want)
		}
		if id, err := WholeHold(got, hs); id != hs[i].ID || err != nil {
			t.Errorf("%s finds %q, %v", got, id, err)
		}
	}
	for asked, kind := range map[string]fault.Kind{"019abc00": fault.Conflict, "019a": fault.Conflict, "019": fault.NotFound, "": fault.NotFound, "feed": fault.NotFound, "019abc11111deadbeef0": fault.NotFound} {
		if id, err := WholeHold(asked, hs); fault.KindOf(err) != kind || !strings.Contains(err.Error(), "(") {
			t.Errorf("%q finds %q, %v", asked, id, err)
		}
	}
	if id, err := WholeHold("deploy-", hs); id != "deploy-freeze" || err != nil {
		t.Errorf("%q %v", id, err)
	}
}
