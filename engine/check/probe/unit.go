package probe

import (
	"context"
	"errors"
	"path"
	"strings"

	"vigil/engine/check/bus"
	"vigil/engine/series"
)

// Unit looks at one systemd unit, or at all whose names match a glob.
type Unit struct {
	Unit   string   `yaml:"unit"`   // name or glob
	Active []string `yaml:"active"` // active states that are as asked, default active and reloading
	Sub    []string `yaml:"sub"`    // sub states that are as asked, default any
	Min    *int     `yaml:"min"`    // units that must match a glob, default 1
}

// The bounds of one glob: units told one by one, and those of which more than
// the state is asked, which is a question each.
const (
	maxUnits     = 200
	maxUnitsDeep = 20
)

// unitStates are told always, so that a policy finds the zero.
var unitStates = [...]string{"active", "activating", "deactivating", "failed", "inactive", "reloading"}

// Build is described at Params.
func (p *Unit) Build(s *Site) Check {
	c := &unitCheck{Unit: *p, site: s, min: 1, count: s.metric(nameUnitCount), made: map[string]*unitLabels{}}
	if c.glob = p.Unit; c.glob == "" {
		s.bad("unit", "expected the name of a unit or a glob")
	} else if !strings.ContainsAny(c.glob, ".*") {
		c.glob += ".service"
	}
	if _, err := path.Match(c.glob, ""); err != nil {
		s.bad("unit", "%q is no glob", p.Unit)
	}
	if p.Min != nil {
		if c.min = *p.Min; c.min < 0 || c.min > maxUnits {
			s.bad("min", "%d is out of range: 0 to %d", c.min, maxUnits)
		}
	}
	if c.Active == nil {
		c.Active = []string{"active", "reloading"}
	}
	for _, a := range c.Active {
		if !contains(unitStates[:], a) {
			s.bad("active", "%q is no active state: expected one of %s", a, strings.Join(unitStates[:], ", "))
		}
	}
	return c
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

type unitCheck struct {
	Unit
	site  *Site
	glob  string
	min   int
	count series.Labels
	made  map[string]*unitLabels
}

type unitLabels struct {
	active, restarts, memory, tasks, since, result series.Labels
	state                                          [len(unitStates)]series.Labels
}

// Concerns says whether the check looks at this unit.
func (c *unitCheck) Concerns(unit string) bool {
	ok, err := path.Match(c.glob, unit)
	return err == nil && ok
}

func (c *unitCheck) Collect(ctx context.Context, emit Emit) error {
	if c.site.Deps.Units == nil {
		return bus.ErrAbsent
	}
	units, err := c.site.Deps.Units.Match(ctx, c.glob)
	if err != nil {
		return err
	}
	loaded := units[:0]
	for _, u := range units {
		if u.Load != "not-found" {
			loaded = append(loaded, u)
		}
	}
	emit(c.count, float64(len(loaded)))
	var wrong []string
	var failed error
	for i, u := range loaded {
		good := contains(c.Active, u.Active) && (len(c.Sub) == 0 || contains(c.Sub, u.Sub))
		if !good {
			wrong = append(wrong, u.Name+" is "+u.Active+" ("+u.Sub+")")
		}
		if i < maxUnits {
			failed = errors.Join(failed, c.tell(ctx, emit, u, good, i < maxUnitsDeep))
		}
	}
	switch {
	case len(loaded) < c.min && len(loaded) == 0:
		return down("there is no unit %s", c.glob)
	case len(loaded) < c.min:
		return down("%d units match %s: at least %d are asked for", len(loaded), c.glob, c.min)
	case len(wrong) > 3:
		return down("%s and %d more", strings.Join(wrong[:3], ", "), len(wrong)-3)
	case len(wrong) > 0:
		return down("%s", strings.Join(wrong, ", "))
	}
	return failed
}

// tell emits what is known of one unit.
func (c *unitCheck) tell(ctx context.Context, emit Emit, u bus.Unit, good, deep bool) error {
	ls := c.labels(u.Name)
	emit(ls.active, boolean(good))
	for i, s := range unitStates {
		emit(ls.state[i], boolean(u.Active == s))
	}
	if !deep {
		return nil
	}
	ask := func(kind, name string, ls series.Labels, scale float64) error {
		p, ok, err := c.site.Deps.Units.Property(ctx, u.Name, kind, name)
		if err == nil && ok {
			emit(ls, p.Number*scale)
		}
		return err
	}
	err := ask("Unit", "ActiveEnterTimestamp", ls.since, 1e-6)
	if !strings.HasSuffix(u.Name, ".service") {
		return err
	}
	err = errors.Join(err,
		ask("Service", "NRestarts", ls.restarts, 1),
		ask("Service", "MemoryCurrent", ls.memory, 1),
		ask("Service", "TasksCurrent", ls.tasks, 1))
	p, ok, e := c.site.Deps.Units.Property(ctx, u.Name, "Service", "Result")
	if ok {
		emit(ls.result, boolean(p.Text == "success"))
	}
	return errors.Join(err, e)
}

func (c *unitCheck) labels(unit string) *unitLabels {
	if ls := c.made[unit]; ls != nil {
		return ls
	}
	if len(c.made) >= 4*maxUnits {
		clear(c.made)
	}
	m := func(name string, pairs ...string) series.Labels {
		return c.site.metric(name, append(pairs, "unit", unit)...)
	}
	ls := &unitLabels{active: m(nameUnitActive), restarts: m(nameUnitRestarts), memory: m(nameUnitMemory),
		tasks: m(nameUnitTasks), since: m(nameUnitSince), result: m(nameUnitResult)}
	for i, s := range unitStates {
		ls.state[i] = m(nameUnitState, "state", s)
	}
	c.made[unit] = ls
	return ls
}
