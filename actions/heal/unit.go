package heal

import (
	"context"
	"strings"
	"time"

	"vigil/actions/param"
	"vigil/actions/units"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// unit changes what systemd knows of a unit's files: enabled, masked, read anew.
// Starting and stopping is the kind service.
type unit struct {
	units    *units.Manager
	commands bool // what opens a shell may be enabled
}

// Resolve: verb (required: daemon-reload, enable, disable, mask, unmask), unit
// (required but for daemon-reload).
func (a unit) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, _, s, err := a.read(r)
	return s, err
}

func (a unit) read(r remedy.Request) (name, verb string, s remedy.Spec, err error) {
	p := param.Read(r.With)
	verb = p.Choice("verb", "", units.FileVerbs()...)
	name = p.Text("unit", verb != "daemon-reload")
	switch {
	case verb == "daemon-reload" && name != "":
		p.Bad("unit", "daemon-reload is about all units")
	case name != "":
		if c, err := units.Canonical(name); err != nil {
			p.Bad("unit", "%v", err)
		} else if name = c; a.barred(verb, name) != "" {
			p.Bad("unit", "%s", a.barred(verb, name))
		}
	}
	if err := p.Err(); err != nil {
		return "", "", s, err
	}
	s = remedy.Spec{Subject: a.units.Subject("systemd:" + name), Kind: "unit", Class: remedy.Convergent, Cost: 1, Timeout: time.Minute, Summary: strings.TrimSpace(verb + " " + name)}
	if name == "" {
		s.Subject = "systemd"
	}
	return name, verb, s, nil
}

// barred says why a verb is not for a unit, by its whole name; "" is that it is.
func (a unit) barred(verb, name string) string {
	switch {
	case reconcile.Itself(name):
		return name + " is vigild itself"
	case verb == "enable" && reconcile.Powerful(name) && !a.commands:
		return name + " ends all that runs or opens a shell; the local config allows to enable it with git.trust_commands"
	case verb == "mask" && reconcile.Foundation(name):
		return name + " holds up everything that runs, vigild itself too"
	}
	return ""
}

func (a unit) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	name, verb, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	if r.Timeout > 0 {
		spec.Timeout = r.Timeout
	}
	ctx, stop := context.WithTimeout(ctx, spec.Timeout)
	defer stop()
	changed, err := a.units.Files(ctx, verb, name, func(id string) error {
		if why := a.barred(verb, id); why != "" {
			return fault.New(fault.Forbidden, "%s is another name of a unit: %s", name, why)
		}
		return nil
	})
	if err != nil {
		return failed(err)
	}
	var back *remedy.Request
	if b, err := opposite(r, verb); err == nil {
		back = &b
	}
	return done(changed, back), nil
}

// Undo is the opposite verb, or the same when nothing would change: Unsupported
// for daemon-reload, since what systemd had read before is gone.
func (a unit) Undo(ctx context.Context, r remedy.Request) (remedy.Request, error) {
	name, verb, _, err := a.read(r)
	if err != nil {
		return remedy.Request{}, err
	}
	back, err := opposite(r, verb)
	if err != nil {
		return remedy.Request{}, err
	}
	is, err := a.units.Is(ctx, verb, name)
	if err != nil {
		return remedy.Request{}, err
	}
	if is {
		return r, nil
	}
	return back, nil
}

func opposite(r remedy.Request, verb string) (remedy.Request, error) {
	back := map[string]string{"enable": "disable", "disable": "enable", "mask": "unmask", "unmask": "mask"}[verb]
	if back == "" {
		return r, fault.New(fault.Unsupported, "%s cannot be undone", verb)
	}
	r.With = map[string]any{"unit": r.With["unit"], "verb": back}
	return r, nil
}
