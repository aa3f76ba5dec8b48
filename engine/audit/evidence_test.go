package audit

import (
	"math"
	"testing"
)

func TestEvidenceKeepsExpressionsAsTheyAreWritten(t *testing.T) {
	if got, want := string(Evidence(map[string]string{"fire": "value > 1 & x < 2"})), `{"fire":"value > 1 & x < 2"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Evidence(math.Inf(1)); got != nil {
		t.Errorf("infinity is written as %s", got)
	}
}
