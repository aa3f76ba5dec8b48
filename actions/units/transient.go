package units

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"vigil/engine/fault"
)

// Transient is a unit that exists only while its program runs.
type Transient struct {
	Name        string // whole: x.service
	Description string
	Argv        []string      // absolute path first
	Limit       time.Duration // PID 1 ends it after this
	Stop        time.Duration // between SIGTERM for the program and SIGKILL for all in the unit
}

// Transient has systemd start a program as a unit of its own and blocks until
// its first instruction (Type=exec, systemd 240). PID 1 itself refuses a second
// unit of the same name: that is a Conflict. An error does not prove that
// nothing was started when ctx has ended. Others: Unsupported without systemd,
// Forbidden, Unavailable.
func (m *Manager) Transient(ctx context.Context, t Transient) error {
	if !m.systemd() {
		return fault.New(fault.Unsupported, "there is no systemd here to run %s", t.Name)
	}
	c, err := m.connect(ctx)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "systemd cannot be reached to start %s", t.Name)
	}
	defer c.Close()
	prop := func(name string, value any) dbus.Property {
		return dbus.Property{Name: name, Value: godbus.MakeVariant(value)}
	}
	result := make(chan string, 1)
	own := m.jobs.begin("start", t.Name)
	defer func() { m.jobs.end(own, time.Now()) }()
	id, err := c.StartTransientUnitContext(ctx, t.Name, "fail", []dbus.Property{
		dbus.PropDescription(t.Description),
		dbus.PropType("exec"),
		dbus.PropExecStart(t.Argv, true),
		prop("CollectMode", "inactive-or-failed"), // nothing of it stays in PID 1 when it has ended
		prop("Delegate", true),                    // a control group for the program, below the wrapper's
		prop("KillMode", "mixed"),
		prop("TimeoutStopUSec", uint64(t.Stop.Microseconds())),
		prop("RuntimeMaxUSec", uint64(t.Limit.Microseconds())),
		prop("UMask", uint32(0o077)),
	}, result)
	m.jobs.asked(own, id)
	if err != nil {
		return refused(err, "start", t.Name)
	}
	select {
	case r := <-result:
		if r != "done" {
			return fault.New(fault.Unavailable, "systemd did not start %s: %s", t.Name, r)
		}
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Timeout, ctx.Err(), "the start of %s was not seen", t.Name)
	}
}
