package units

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"vigil/engine/fault"
)

func (m *Manager) doSystemd(ctx context.Context, verb, unit string, before func(id, invocation string) error) (Done, error) {
	c, err := m.connect(ctx)
	if err != nil {
		return Done{}, fault.Wrap(fault.Unavailable, err, "systemd cannot be reached to %s %s", verb, unit)
	}
	defer c.Close()
	d := Done{Init: "systemd"}
	u, err := m.others(ctx, c, unit)
	if err != nil {
		return d, err
	}
	m.names.learn(unit, u.id)
	unit = u.id // from here on by the name that systemd and everybody who watches it uses
	switch u.load {
	case "masked":
		return d, fault.New(fault.Conflict, "%s is masked: somebody does not want it to run", unit).Mend("systemctl unmask %s", unit)
	case "not-found":
		return d, fault.New(fault.NotFound, "there is no unit %s", unit)
	case "error", "bad-setting":
		return d, fault.New(fault.Conflict, "the unit file of %s is broken (%s)", unit, u.load).Mend("systemctl status %s says where", unit)
	}
	switch verb {
	case "start", "restart", "try-restart":
		if m.hand.justStopped(unit, time.Now()) && u.active != "active" {
			return d, fault.New(fault.Conflict, "%s was stopped by hand a moment ago", unit).Mend("systemctl start %s, when it is wanted again", unit)
		}
	}
	d.Before = u.invocation
	if before != nil {
		if err := before(u.id, u.invocation); err != nil {
			return d, err
		}
	}
	if verb == "reset-failed" {
		if err := c.ResetFailedUnitContext(ctx, unit); err != nil {
			return d, refused(err, verb, unit)
		}
		d.OK, d.Result, d.After = true, "done", u.invocation
		return d, nil
	}
	job := map[string]func(context.Context, string, string, chan<- string) (int, error){
		"start": c.StartUnitContext, "stop": c.StopUnitContext, "restart": c.RestartUnitContext,
		"reload": c.ReloadUnitContext, "try-restart": c.TryRestartUnitContext,
	}[verb]
	if job == nil {
		return d, fault.New(fault.Unprocessable, "%q is nothing that can be asked of a unit", verb)
	}
	result := make(chan string, 1)
	own := m.jobs.begin(verb, unit)
	defer func() { m.jobs.end(own, time.Now()) }()
	id, err := job(ctx, unit, "replace", result)
	m.jobs.asked(own, id)
	if err != nil {
		if ctx.Err() != nil { // asked, and the answer was not waited for
			d.Unseen, d.TimedOut, d.Result = true, ctx.Err() == context.DeadlineExceeded, "not seen"
			return d, nil
		}
		return d, refused(err, verb, unit)
	}
	select {
	case d.Result = <-result:
	case <-ctx.Done():
		d.Unseen, d.TimedOut, d.Result = true, ctx.Err() == context.DeadlineExceeded, "not seen"
		return d, nil
	}
	d.OK = d.Result == "done" || d.Result == "skipped" && verb == "try-restart"
	if u, err := look(ctx, c, unit); err == nil {
		d.After = u.invocation
		d.Output = fmt.Sprintf("%s is %s (%s)", unit, u.active, u.sub)
		if verb == "start" || verb == "restart" {
			d.OK = d.OK && u.active != "failed"
		}
	}
	return d, nil
}

// Leaving says that the machine is going down: systemd cancels and stops then what
// nobody asked it to. False where it cannot be asked. It blocks on the bus.
func (m *Manager) Leaving(ctx context.Context) bool {
	if !m.systemd() {
		return false
	}
	c, err := m.connect(ctx)
	if err != nil {
		return false
	}
	defer c.Close()
	p, err := c.SystemStateContext(ctx)
	return err == nil && p.Value.Value() == "stopping"
}

// refused says what systemd answered to a job it did not take.
func refused(err error, verb, unit string) error {
	k := fault.Unavailable
	var e godbus.Error
	if errors.As(err, &e) {
		switch {
		case strings.HasSuffix(e.Name, ".AccessDenied"), strings.HasSuffix(e.Name, ".InteractiveAuthorizationRequired"):
			k = fault.Forbidden
		case strings.HasSuffix(e.Name, ".NoSuchUnit"):
			k = fault.NotFound
		case strings.Contains(e.Name, "systemd1."):
			k = fault.Conflict
		}
	}
	return fault.Wrap(k, err, "systemd did not %s %s", verb, unit)
}

type state struct{ id, load, active, sub, invocation string }

// others looks at a unit that is to be acted on: Forbidden when it is the one that
// this process runs in, by whatever name.
func (m *Manager) others(ctx context.Context, c *dbus.Conn, unit string) (state, error) {
	u, err := look(ctx, c, unit)
	if err == nil && u.invocation != "" && u.invocation == m.conf.Own {
		return u, fault.New(fault.Forbidden, "%s is the unit that vigild runs in, and vigild does not act on itself: what it does would have no end on record", unit)
	}
	return u, err
}

func look(ctx context.Context, c *dbus.Conn, unit string) (state, error) {
	p, err := c.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return state{}, refused(err, "look at", unit)
	}
	s := state{id: unit}
	if id, _ := p["Id"].(string); id != "" {
		s.id = id
	}
	s.load, _ = p["LoadState"].(string)
	s.active, _ = p["ActiveState"].(string)
	s.sub, _ = p["SubState"].(string)
	if id, ok := p["InvocationID"].([]byte); ok {
		s.invocation = hex.EncodeToString(id)
	}
	return s, nil
}

// Now is how a unit stands: its ActiveState and its InvocationID, which is
// another one after every start. Reads only; systemd alone, else Unsupported.
func (m *Manager) Now(ctx context.Context, unit string) (active, invocation string, err error) {
	if !m.systemd() {
		return "", "", fault.New(fault.Unsupported, "only systemd tells how %s stands", unit)
	}
	c, err := m.connect(ctx)
	if err != nil {
		return "", "", fault.Wrap(fault.Unavailable, err, "systemd cannot be reached")
	}
	defer c.Close()
	s, err := look(ctx, c, unit)
	return s.active, s.invocation, err
}

// Describe is what a person would look at first about a unit. Reads only.
func (m *Manager) Describe(ctx context.Context, unit string) (map[string]any, error) {
	if !m.systemd() {
		return nil, fault.New(fault.Unsupported, "only systemd tells how %s stands", unit)
	}
	c, err := m.connect(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "systemd cannot be reached")
	}
	defer c.Close()
	out := map[string]any{}
	p, err := c.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return nil, refused(err, "look at", unit)
	}
	for _, k := range []string{"LoadState", "ActiveState", "SubState", "StateChangeTimestamp", "NeedDaemonReload"} {
		out[k] = p[k]
	}
	kind := unit[strings.LastIndexByte(unit, '.')+1:]
	if kind != "service" {
		return out, nil
	}
	if p, err = c.GetUnitTypePropertiesContext(ctx, unit, "Service"); err == nil {
		for _, k := range []string{"Result", "NRestarts", "MainPID", "ExecMainCode", "ExecMainStatus", "MemoryCurrent", "TasksCurrent", "StatusText"} {
			out[k] = p[k]
		}
	}
	return out, nil
}
