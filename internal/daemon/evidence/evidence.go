// Package evidence brings what only other rooms can read to the capture of
// evidence: a unit's journal, through the one launcher, and a supervised process's
// log. It changes nothing and bounds what it reads.
package evidence

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"vigil/actions"
	"vigil/actions/launch"
	"vigil/engine/fault"
	"vigil/internal/daemon/config"
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

// ProcessLog reads the end of a supervised process's log, where it goes to the
// data directory.
func ProcessLog(cfg *config.Loaded) func(process string, bytes int) ([]byte, error) {
	return func(process string, bytes int) ([]byte, error) {
		file := filepath.Join(cfg.DataDir, "process", filepath.Base(process)+".log")
		for _, p := range cfg.Processes {
			if p.Name == process && filepath.IsAbs(p.Log) {
				file = p.Log
			}
		}
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return nil, err
		}
		from := max(0, info.Size()-int64(bytes))
		return io.ReadAll(io.NewSectionReader(f, from, int64(bytes)))
	}
}
