package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"vigil/actions/catalogue"
	"vigil/actions/launch"
	"vigil/actions/param"
	"vigil/engine/fault"
)

var pluginName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// RunPlugin runs a program of that file name from the first of the folders that
// has it, for a check. The folders come from the local config and, like the
// program, must be root's or vigild's. What it leaves running is killed. Outcome
// has stdout in Output and stderr apart. Blocks; concurrent. An error means that
// it was not started.
func (s *Set) RunPlugin(ctx context.Context, dirs []string, name string, args []string, user string, timeout time.Duration, output int) (Outcome, error) {
	if !pluginName.MatchString(name) || name == "." || name == ".." {
		return Outcome{}, fault.New(fault.Unprocessable, "%q is not the file name of a plugin", name)
	}
	if len(args) > 256 {
		return Outcome{}, fault.New(fault.Unprocessable, "%d arguments, at most 256 are taken", len(args))
	}
	for _, a := range args {
		if len(a) > param.MaxValue || strings.ContainsFunc(a, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return Outcome{}, fault.New(fault.Unprocessable, "the argument %.80q is too long or holds a control character", a)
		}
	}
	for _, d := range dirs {
		path := filepath.Join(d, name)
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		return s.launcher.Run(ctx, launch.Program{
			Argv: append([]string{path}, args...), Env: catalogue.FixedEnv(), User: user, Timeout: timeout, Output: output,
			Separate: true, KillRest: true, KillAfter: 500 * time.Millisecond,
		})
	}
	if len(dirs) == 0 {
		return Outcome{}, fault.New(fault.NotFound, "there is no plugin %s: no folder is looked in", name).Mend("list those of the plugins in [checks] plugin_dirs")
	}
	return Outcome{}, fault.New(fault.NotFound, "there is no plugin %s in %s", name, param.List(dirs)).Mend("[checks] plugin_dirs lists the folders that are looked in")
}

// RunEntry runs an exec entry of the catalogue for a check, as RunPlugin.
func (s *Set) RunEntry(ctx context.Context, name string, params map[string]string) (Outcome, error) {
	return s.table.Load().book.Run(ctx, name, params)
}
