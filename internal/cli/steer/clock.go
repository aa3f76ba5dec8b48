package steer

import (
	"context"

	"vigil/internal/cli/session"
)

// ConfirmClockCmd vouches for the wall clock after it stepped.
type ConfirmClockCmd struct{}

// Help says when it is needed.
func (ConfirmClockCmd) Help() string {
	return "Example:\n  vigild confirm-clock\n\nAfter a step of the wall clock nothing is deleted for its age until somebody says that the time is right.\nvigild says so itself once the kernel has called the clock synchronised for ten minutes; this is for hosts without time sync."
}

// Run says so.
func (*ConfirmClockCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	ok, err := r.ConfirmClock(ctx)
	if err != nil {
		return err
	}
	return s.Done(ok)
}
