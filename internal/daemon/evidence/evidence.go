// Package evidence brings what only other rooms can read to the capture of
// evidence: a unit's journal, through the one launcher, and a supervised process's
// log. It changes nothing and bounds what it reads.
package evidence

import (
	"context"
	"os"
	"strconv"
	"time"

	"vigil/actions"
	"vigil/actions/launch"
	"vigil/engine/fault"
)

// journalctl is where the journal's reader lies on every distribution that has
// one.
const journalctl = "/usr/bin/journalctl"

// Journal reads the newest lines of a unit's journal through the one room that
// starts programs.
func Journal(set *actions.Set) func(ctx context.Context, unit string, lines int) ([]byte, error) {
	return func(ctx context.Context, unit string, lines int) ([]byte, error) {
		if _, err := os.Stat(journalctl); err != nil {
			return nil, fault.New(fault.NotFound, "there is no journal here")
		}
		out, err := set.Launcher().Run(ctx, launch.Program{
			Argv:    []string{journalctl, "--no-pager", "--output=short-iso", "--lines=" + strconv.Itoa(lines), "--unit=" + unit},
			Env:     []string{"PATH=/usr/bin:/bin", "LANG=C"},
			Timeout: 2 * time.Second, KillRest: true, KillAfter: 100 * time.Millisecond,
		})
		if err != nil {
			return nil, err
		}
		return []byte(out.Output), nil
	}
}

// ProcessLog reads the end of a kept process's log, wherever it goes; nothing where
// there is none.
func ProcessLog(set *actions.Set) func(process string, bytes int) ([]byte, error) {
	return func(process string, bytes int) ([]byte, error) {
		b, err := set.Processes().Tail(process, bytes)
		if fault.KindOf(err) == fault.NotFound {
			return nil, nil
		}
		return b, err
	}
}
