package unitstest

import (
	"net"
	"os/exec"
	"strings"

	"github.com/godbus/dbus/v5"
)

// transient starts a real process for a unit that exists while it runs.
func (p *PID1) transient(c net.Conn, m *dbus.Message) {
	var name, mode string
	var props []struct {
		Name  string
		Value dbus.Variant
	}
	if err := dbus.Store(m.Body[:3], &name, &mode, &props); err != nil {
		p.t.Errorf("StartTransientUnit: %v", err)
		return
	}
	p.asked = append(p.asked, "StartTransientUnit "+name+" "+mode)
	if r := p.results["StartTransientUnit "+name]; strings.HasPrefix(r, "org.") {
		p.send(c, failure(m, r))
		return
	}
	if p.running[name] != nil {
		p.send(c, failure(m, "org.freedesktop.systemd1.UnitExists"))
		return
	}
	var argv []string
	for _, x := range props {
		if x.Name == "ExecStart" {
			var lines []struct {
				Path  string
				Args  []string
				Plain bool
			}
			if err := dbus.Store([]any{x.Value.Value()}, &lines); err != nil || len(lines) != 1 {
				p.t.Errorf("ExecStart: %v %v", lines, err)
				return
			}
			argv = lines[0].Args
		}
	}
	p.units[name] = map[string]any{"LoadState": "loaded", "ActiveState": "activating", "SubState": "start", "Transient": true, "InvocationID": make([]byte, 16)}
	job := p.begin(name, "start")
	p.send(c, reply(m, job))
	x := exec.Command(argv[0], argv[1:]...)
	result := "failed"
	if !p.lame && x.Start() == nil {
		result = "done"
		p.running[name] = x
		p.busy.Go(func() {
			_ = x.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.running, name)
			delete(p.units, name)
		})
	}
	p.end(job, name, "StartTransientUnit", result)
}

// Lame makes the programs of transient units fail to start.
func (p *PID1) Lame() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lame = true
}

// Pids are those of the transient units that run.
func (p *PID1) Pids() (pids []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.running {
		pids = append(pids, x.Process.Pid)
	}
	return pids
}
