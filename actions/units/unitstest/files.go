package unitstest

import (
	"net"

	"github.com/godbus/dbus/v5"
)

// change is one line of systemd's answer: what was done to which file.
type change struct{ Type, File, To string }

// files answers the calls about unit files, and keeps UnitFileState.
func (p *PID1) files(c net.Conn, m *dbus.Message, member string) {
	name := m.Body[0].([]string)[0]
	p.asked = append(p.asked, member+" "+name)
	u, ok := p.units[name]
	if r := p.results[member+" "+name]; !ok || r != "" {
		if r == "" {
			r = "org.freedesktop.systemd1.NoSuchUnit"
		}
		p.send(c, failure(m, r))
		return
	}
	to := map[string]string{"EnableUnitFiles": "enabled", "DisableUnitFiles": "disabled", "MaskUnitFiles": "masked", "UnmaskUnitFiles": "disabled"}[member]
	changes := []change{}
	if was := u["UnitFileState"]; was != to && !(member == "UnmaskUnitFiles" && was != "masked") {
		u["UnitFileState"] = to
		changes = append(changes, change{"symlink", "/etc/systemd/system/" + name, ""})
	}
	if member == "EnableUnitFiles" {
		p.send(c, reply(m, u["Static"] == nil, changes))
		return
	}
	p.send(c, reply(m, changes))
}
