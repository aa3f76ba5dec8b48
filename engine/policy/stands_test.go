package policy

import "testing"

// TestAnEpisodeStandsUnderWhatHidesIt: what is shown over a firing does not end it.
func TestAnEpisodeStandsUnderWhatHidesIt(t *testing.T) {
	for f, want := range map[[2]State]bool{
		{StateOK, ""}:                   false,
		{StatePending, ""}:              false,
		{StateFiring, ""}:               true,
		{StateRecovering, ""}:           true,
		{StateSuppressed, StateFiring}:  true,
		{StateUnknown, StateRecovering}: true,
		{StateFlapping, StateFiring}:    true,
		{StateFlapping, StateOK}:        false,
		{StateUnknown, StatePending}:    false,
		{"", ""}:                        false,
	} {
		if got := (Firing{State: f[0], Before: f[1]}).Stands(); got != want {
			t.Errorf("%q over %q: %v", f[0], f[1], got)
		}
	}
}
