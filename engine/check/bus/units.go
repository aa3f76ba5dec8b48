package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Unit is a unit as systemd lists it.
type Unit struct {
	Name                   string
	Load, Active, Sub, Job string
}

func unitsOf(in []systemd.UnitStatus) []Unit {
	out := make([]Unit, len(in))
	for i, u := range in {
		out[i] = Unit{u.Name, u.LoadState, u.ActiveState, u.SubState, u.JobType}
	}
	return out
}

// Failed lists the units that have failed.
func (s *Systemd) Failed(ctx context.Context) (out []Unit, err error) {
	err = s.ask(ctx, "failed units", func(c *systemd.Conn) error {
		us, err := c.ListUnitsFilteredContext(ctx, []string{"failed"})
		out = unitsOf(us)
		return err
	})
	return out, err
}

// Match lists the units whose names match a glob. A plain name is always
// answered, a unit that is not loaded as inactive or not-found.
func (s *Systemd) Match(ctx context.Context, glob string) (out []Unit, err error) {
	err = s.ask(ctx, "units", func(c *systemd.Conn) error {
		var us []systemd.UnitStatus
		var err error
		if strings.ContainsAny(glob, "*?[") {
			us, err = c.ListUnitsByPatternsContext(ctx, nil, []string{glob})
		} else {
			us, err = c.ListUnitsByNamesContext(ctx, []string{glob})
		}
		out = unitsOf(us)
		return err
	})
	return out, err
}

// Property is one property of a unit's own type ("Service", "Timer", ...) or of
// "Unit". Numbers come as float64 (NaN-free: systemd's "not set", all ones, and
// an absent property are ok = false), other values by Text.
type Property struct {
	Number float64
	Text   string
}

// Property asks for one property. ok is false where the unit has none such.
func (s *Systemd) Property(ctx context.Context, unit, kind, name string) (p Property, ok bool, err error) {
	err = s.ask(ctx, name+" of "+unit, func(c *systemd.Conn) error {
		got, err := c.GetUnitTypePropertyContext(ctx, unit, kind, name)
		if err != nil {
			return err
		}
		switch v := got.Value.Value().(type) {
		case string:
			p.Text, ok = v, true
		case uint64:
			p.Number, ok = float64(v), v != ^uint64(0)
		case uint32:
			p.Number, ok = float64(v), true
		case int32:
			p.Number, ok = float64(v), true
		case int64:
			p.Number, ok = float64(v), true
		case bool:
			if ok = true; v {
				p.Number = 1
			}
		}
		return nil
	})
	if err != nil && isUnknown(err) {
		return p, false, nil
	}
	return p, ok, err
}

// isUnknown says that the unit's type lacks the property or the interface.
func isUnknown(err error) bool {
	var e dbus.Error
	return errors.As(err, &e) && (strings.HasSuffix(e.Name, ".UnknownProperty") || strings.HasSuffix(e.Name, ".UnknownInterface"))
}

// watchQueue is how many changes may wait; a change that finds it full is lost,
// which a later tick repairs.
const watchQueue = 256

// Watch calls changed with the name of each unit whose properties change, until
// ctx ends or the connection breaks. It blocks. One watcher at a time.
func (s *Systemd) Watch(ctx context.Context, changed func(unit string)) error {
	var conn *systemd.Conn
	updates := make(chan *systemd.PropertiesUpdate, watchQueue)
	lost := make(chan error, 1)
	err := s.ask(ctx, "its signals", func(c *systemd.Conn) error {
		conn = c
		c.SetPropertiesSubscriber(updates, lost)
		defer context.AfterFunc(ctx, c.Close)() // the library's call has no context
		return c.Subscribe()
	})
	if err != nil {
		return err
	}
	defer conn.SetPropertiesSubscriber(nil, nil)
	alive := time.NewTicker(redialAfter)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-updates:
			changed(u.UnitName)
		case <-lost:
		case <-alive.C:
			if !conn.Connected() {
				return errors.New("the connection to systemd broke")
			}
		}
	}
}
