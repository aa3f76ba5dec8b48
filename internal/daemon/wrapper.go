package daemon

import (
	"context"
	"os"

	"vigil/actions/detach"
)

// WrapperCommand is the hidden subcommand of vigild that runs one attempt's
// program as a unit of its own.
const WrapperCommand = "__attempt"

// wrapper is how vigild calls itself for that, nil where it does not know itself.
func wrapper() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{self, WrapperCommand}
}

// RunAttempt is what the subcommand does: it runs the program that is described in
// dir and blocks until its end is on disk. When ctx ends, the program is ended.
func RunAttempt(ctx context.Context, dir string) error { return detach.Attempt(ctx, dir) }
