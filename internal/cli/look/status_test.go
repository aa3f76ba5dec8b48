package look

import (
	"testing"

	"vigil/api/contract"
	"vigil/internal/cli/session"
)

// TestStands_BeforeTheFirstCommit: what is told to do is what can be done, and why
// nothing comes is not kept.
func TestStands_BeforeTheFirstCommit(t *testing.T) {
	s := &session.Session{Streams: session.Streams{Env: []string{"NO_COLOR=1"}}}
	for _, tt := range []struct {
		d    contract.Desired
		want string
	}{
		{contract.Desired{Source: "push"}, "desired state: no commit yet; vigild init makes the first one"},
		{contract.Desired{Source: "path"}, "desired state: no commit yet"},
		{contract.Desired{Source: "remote", Stalled: "the host does not answer"}, "desired state: no commit yet; stalled: the host does not answer"},
	} {
		if got := stands(s, tt.d); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.d, got, tt.want)
		}
	}
}
