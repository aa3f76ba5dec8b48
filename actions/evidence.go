package actions

import (
	"context"
	"strconv"
	"time"

	"vigil/actions/catalogue"
	"vigil/actions/launch"
	"vigil/actions/units"
	"vigil/engine/fault"
)

// What engine/world cannot read by itself is read here, since it takes a program
// or the init system's own word. Nothing is changed.

// Journal is the newest lines of a unit's journal, by journalctl. Blocks at most
// until ctx ends; concurrent.
func (s *Set) Journal(ctx context.Context, unit string, lines int) ([]byte, error) {
	unit, err := units.Canonical(unit)
	if err != nil {
		return nil, err
	}
	o, err := s.launcher.Run(ctx, launch.Program{
		Argv: []string{"/usr/bin/journalctl", "--no-pager", "--quiet", "--output=short-iso", "--lines=" + strconv.Itoa(lines), "--unit=" + unit},
		Env:  catalogue.FixedEnv(), Timeout: 2 * time.Second, KillAfter: 50 * time.Millisecond, KillRest: true, Separate: true,
	})
	if err != nil {
		return nil, err
	}
	if o.Exit != 0 {
		return nil, fault.New(fault.Unavailable, "journalctl: exit %d %s: %s", o.Exit, o.Signal, o.Stderr)
	}
	return []byte(o.Output), nil
}

// Unit is how a unit stands, in systemd's own words.
func (s *Set) Unit(ctx context.Context, unit string) (map[string]any, error) {
	return s.units.Describe(ctx, unit)
}
