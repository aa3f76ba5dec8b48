package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/units"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// service acts on what the init system keeps. A restart is probed: the unit's
// InvocationID from before the act is on disk before it, and another one since
// shows that it was done.
type service struct {
	units *units.Manager
	dir   string // of the probe records; "" none are kept
}

func newService(s *Set, c Config) (remedy.Action, error) {
	a := service{units: s.units}
	if c.DataDir != "" {
		a.dir = filepath.Join(c.DataDir, "probe")
	}
	return a, nil
}

// Resolve: unit (required), verb (default restart).
func (a service) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, _, spec, err := a.read(r)
	return spec, err
}

func (a service) read(r remedy.Request) (unit, verb string, s remedy.Spec, err error) {
	p := param.Read(r.With)
	unit = p.Text("unit", true)
	verb = p.Choice("verb", "restart", units.Verbs()...)
	if unit != "" {
		if canonical, err := units.Canonical(unit); err != nil {
			p.Bad("unit", "%v", err)
		} else {
			unit = canonical
			if why := barred(verb, unit); why != "" {
				p.Bad("unit", "%s", why)
			}
		}
	}
	if err := p.Err(); err != nil {
		return "", "", remedy.Spec{}, err
	}
	s = remedy.Spec{Subject: a.units.Subject("systemd:" + unit), Kind: "service", Class: remedy.Convergent, Cost: 1, Timeout: 90 * time.Second, Summary: verb + " " + unit}
	switch verb {
	case "restart", "try-restart":
		s.Class, s.Cost, s.Capture = remedy.Probed, 2, true
	case "stop":
		s.Cost, s.Capture = 2, true
	}
	return unit, verb, s, nil
}

// barred says why a verb is not for a unit, by its whole name; "" is that it is.
func barred(verb, unit string) string {
	switch {
	case verb != "stop" && reconcile.Powerful(unit):
		return unit + " acts on the whole machine, and is no service to be healed"
	case (verb == "stop" || verb == "restart" || verb == "try-restart") && reconcile.Foundation(unit):
		return unit + " holds up everything that runs, vigild itself too, and is not taken away by an act"
	case reconcile.Itself(unit):
		return unit + " is vigild itself, which does not act on itself: what it does would have no end on record"
	}
	return ""
}

func (a service) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	unit, verb, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	ctx, stop := bounded(ctx, r, spec)
	defer stop()
	d, err := a.units.Do(ctx, verb, unit, func(id, invocation string) error {
		if why := barred(verb, id); why != "" {
			return fault.New(fault.Forbidden, "%s is another name of a unit: %s", unit, why)
		}
		if spec.Class == remedy.Probed {
			return a.note(unit, r.Attempt, invocation)
		}
		return nil
	})
	if err != nil {
		return remedy.Result{}, err
	}
	res := remedy.Result{OK: d.OK, Output: d.Output, Unseen: d.Unseen, TimedOut: d.TimedOut, Data: map[string]any{"init": d.Init, "result": d.Result}}
	if d.Before != "" || d.After != "" {
		res.Data["invocation_before"], res.Data["invocation_after"] = d.Before, d.After
	}
	if !d.OK {
		res.Error = verb + " " + unit + ": " + d.Result
	}
	return res, nil
}

// Done compares the InvocationID now with the one from before the act. No record
// means that the crash came before the act.
func (a service) Done(ctx context.Context, r remedy.Request) (bool, error) {
	unit, verb, spec, err := a.read(r)
	if err != nil {
		return false, err
	}
	if spec.Class != remedy.Probed {
		return false, fault.New(fault.Unsupported, "%s is repeated, not probed", verb)
	}
	if a.dir == "" {
		return false, fault.New(fault.Unavailable, "no record of attempt %s was kept", r.Attempt)
	}
	b, err := os.ReadFile(filepath.Join(a.dir, unit))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fault.Wrap(fault.Unavailable, err, "the record of attempt %s", r.Attempt)
	}
	var was probe
	if json.Unmarshal(b, &was) != nil || was.Attempt != r.Attempt {
		return false, nil // absent, torn or of another attempt: the act had not begun
	}
	active, now, err := a.units.Now(ctx, unit)
	if err != nil {
		return false, err
	}
	return now != was.Invocation && now != "" && active != "inactive" && active != "failed", nil
}

// probe is what stood before an act: one small file a unit, written in place,
// since a unit has at most one attempt open.
type probe struct {
	Attempt    string `json:"attempt"`
	Invocation string `json:"invocation"`
}

// note has the invocation on disk when it returns nil.
func (a service) note(unit, attempt, invocation string) error {
	if a.dir == "" {
		return nil
	}
	b, err := json.Marshal(probe{attempt, invocation})
	if err != nil || len(b) > 512 {
		return fault.New(fault.Unprocessable, "%.80q is not the id of an attempt", attempt)
	}
	b = append(b, bytes.Repeat([]byte{' '}, 512-len(b))...)
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the record of attempt %s", attempt)
	}
	f, err := os.OpenFile(filepath.Join(a.dir, unit), os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the record of attempt %s", attempt)
	}
	defer f.Close()
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		var d *os.File
		if d, err = os.Open(a.dir); err == nil {
			err = d.Sync()
			d.Close()
		}
	}
	return fault.Wrap(fault.Unavailable, err, "the record of attempt %s", attempt)
}
