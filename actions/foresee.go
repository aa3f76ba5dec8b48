package actions

import (
	"maps"
	"slices"

	"vigil/actions/catalogue"
	"vigil/actions/launch"
	"vigil/actions/launch/trust"
	"vigil/engine/fault"
)

// trusted refuses a config file that others can write, where it says what is run.
func (c Config) trusted() error {
	if c.Source == "" || len(c.Catalogue)+len(c.Processes)+len(c.Own) == 0 {
		return nil
	}
	if _, err := trust.Path(c.Source); err != nil {
		return fault.Wrap(fault.Forbidden, err, "the catalogue in %s is not taken", c.Source)
	}
	return nil
}

// Foresee looks at the programs that the config names. Its error is what New would
// refuse; warnings are the programs that would not start, by their key path: vigild
// starts without them, and each act that needs one fails. It starts nothing and
// blocks on disk.
func (c Config) Foresee() (warnings fault.Issues, err error) {
	if err := c.trusted(); err != nil {
		return nil, err
	}
	look := func(at string, p launch.Program) {
		if len(p.Argv) == 0 {
			return
		}
		if err := launch.Foresee(p); err != nil {
			warnings.Add(at, "it would not start: %v", err)
		}
	}
	for _, p := range c.Processes {
		look("process."+p.Name+".argv", launch.Program{Argv: p.Argv, User: p.User, Group: p.Group, Dir: p.Cwd})
		look("process."+p.Name+".ready.exec", launch.Program{Argv: p.Ready.Exec})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Catalogue)) {
		run, probe := programs(c.Catalogue[name])
		look("actions."+name+".argv", run)
		look("actions."+name+".probe", probe)
	}
	return warnings, nil
}

// programs are what an entry would start; of another kind than exec nothing.
func programs(e catalogue.Entry) (run, probe launch.Program) {
	return launch.Program{Argv: e.Argv, User: e.User, Group: e.Group, Dir: e.Cwd, SHA256: e.SHA256}, launch.Program{Argv: e.Probe}
}

// Foresee says why a program of the entry would not start as things stand, nil for
// nothing. It starts nothing and blocks on disk.
func (w Written) Foresee() error {
	run, probe := programs(w.Entry)
	for _, p := range []launch.Program{run, probe} {
		if len(p.Argv) > 0 {
			if err := launch.Foresee(p); err != nil {
				return err
			}
		}
	}
	return nil
}
