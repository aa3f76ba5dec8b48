package look

import (
	"strings"
	"testing"
	"time"

	"vigil/api/contract"
	"vigil/internal/cli/session"
)

// TestStands: what is told to do is what can be done, why nothing comes is not kept,
// and what is being applied is not said to be applied.
func TestStands(t *testing.T) {
	s := &session.Session{Streams: session.Streams{Env: []string{"NO_COLOR=1"}}}
	for _, tt := range []struct {
		d    contract.Desired
		want string
	}{
		{contract.Desired{Source: "push"}, "desired state: no commit yet; vigild init makes the first one"},
		{contract.Desired{Source: "path"}, "desired state: no commit yet"},
		{contract.Desired{Source: "remote", Stalled: "the host does not answer"}, "desired state: no commit yet; stalled: the host does not answer"},
		{contract.Desired{Applied: "0123456789abcdef", State: "applying", Resources: 1}, "desired state: 0123456789 is being applied; 1 thing"},
		{contract.Desired{Applied: "0123456789abcdef", State: "good", Resources: 2}, "desired state: 0123456789 applied, good; 2 things"},
		{contract.Desired{Applied: "0123456789abcdef", State: "good", Resources: 2, Unseen: 1}, "desired state: 0123456789 applied, good; 2 things, 1 cannot be looked at"},
	} {
		if got := stands(s, tt.d); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.d, got, tt.want)
		}
	}
}

// TestHeadline_TheLongestPause: of two pauses the one that ends last says until when
// nothing is acted on.
func TestHeadline_TheLongestPause(t *testing.T) {
	var out strings.Builder
	s := &session.Session{Streams: session.Streams{Out: &out, Env: []string{"NO_COLOR=1"}}}
	early, late := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	headline(s, contract.Status{Ready: true, Holds: []contract.Hold{{Kind: "pause", Until: &early}, {Kind: "silence"}, {Kind: "pause", Until: &late}, {Kind: "pause", Until: &early}}})
	if got := out.String(); !strings.Contains(got, "paused until 2026-11-29T10:00:00Z") {
		t.Error(got)
	}
}
