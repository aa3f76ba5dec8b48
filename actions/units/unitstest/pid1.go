// Package unitstest is systemd as its private socket shows it: the real client
// speaks the real protocol to it over a real socket; only the units are made up.
package unitstest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// PID1 answers for systemd until its test ends.
type PID1 struct {
	Address string // D-Bus address

	t       testing.TB
	mu      sync.Mutex
	units   map[string]map[string]any
	results map[string]string          // by verb and unit; "" never ends
	kinds   map[dbus.ObjectPath]string // of the jobs that are known
	state   string                     // of the whole system
	lazy    bool
	lame    bool
	quick   bool
	asked   []string
	conns   []net.Conn
	jobs    int
	running map[string]*exec.Cmd // of transient units
	busy    sync.WaitGroup
}

// Start begins to answer.
func Start(t testing.TB) *PID1 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "private")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &PID1{t: t, Address: "unix:path=" + path, units: map[string]map[string]any{}, results: map[string]string{}, kinds: map[dbus.ObjectPath]string{}, state: "running", running: map[string]*exec.Cmd{}}
	p.busy.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			p.mu.Unlock()
			p.busy.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		for _, x := range p.running {
			_ = x.Process.Kill()
		}
		p.mu.Unlock()
		p.busy.Wait()
	})
	return p
}

// Unit adds a unit, or puts another in its place.
func (p *PID1) Unit(name, load, active string, invocation byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.units[name] = map[string]any{"Id": name, "LoadState": load, "ActiveState": active, "SubState": "sub", "InvocationID": bytes.Repeat([]byte{invocation}, 16)}
}

// Alias gives a unit another name.
func (p *PID1) Alias(name, unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.units[name] = p.units[unit]
}

// Result sets how a call (RestartUnit) on a unit ends: a job's result, the name
// of an error, or "" for a job that never ends.
func (p *PID1) Result(call, unit, result string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results[call+" "+unit] = result
}

// Asked lists the calls that would have changed something.
func (p *PID1) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// serve does the handshake of the D-Bus specification and answers calls.
func (p *PID1) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch line = strings.TrimLeft(strings.TrimSpace(line), "\x00"); {
		case line == "AUTH":
			fmt.Fprint(c, "REJECTED EXTERNAL\r\n")
		case strings.HasPrefix(line, "AUTH EXTERNAL"), strings.HasPrefix(line, "DATA"):
			fmt.Fprint(c, "OK 0123456789abcdef0123456789abcdef\r\n")
		case line == "NEGOTIATE_UNIX_FD":
			fmt.Fprint(c, "ERROR\r\n")
		case line == "BEGIN":
			p.calls(c, r)
			return
		}
	}
}

func (p *PID1) calls(c net.Conn, r io.Reader) {
	p.mu.Lock()
	lazy := p.lazy
	p.mu.Unlock()
	for {
		m, err := dbus.DecodeMessage(r)
		if err != nil {
			return
		}
		if lazy {
			lazy = false
			continue
		}
		if m.Type != dbus.TypeMethodCall {
			continue
		}
		p.mu.Lock()
		p.answer(c, m)
		p.mu.Unlock()
	}
}

func (p *PID1) answer(c net.Conn, m *dbus.Message) {
	member, _ := m.Headers[dbus.FieldMember].Value().(string)
	path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	switch member {
	case "Subscribe":
		p.send(c, reply(m))
	case "Get":
		if m.Body[1] == "SystemState" {
			p.send(c, reply(m, dbus.MakeVariant(p.state)))
		} else if kind, ok := p.kinds[path]; ok && m.Body[1] == "JobType" {
			p.send(c, reply(m, dbus.MakeVariant(kind)))
		} else if u, ok := p.units[named(path)]; ok && m.Body[1] == "Id" {
			p.send(c, reply(m, dbus.MakeVariant(u["Id"])))
		} else {
			p.send(c, failure(m, "org.freedesktop.DBus.Error.UnknownObject"))
		}
	case "GetAll":
		u, ok := p.units[named(path)]
		if !ok {
			u = map[string]any{"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "InvocationID": []byte{}}
		}
		props := map[string]dbus.Variant{}
		for k, v := range u {
			props[k] = dbus.MakeVariant(v)
		}
		p.send(c, reply(m, props))
	case "ListUnitFilesByPatterns": // of the aliases; nobody here asks for others
		type file struct{ Path, State string }
		files := []file{}
		for name, u := range p.units {
			if u["Id"] != name {
				files = append(files, file{"/etc/systemd/system/" + name, "alias"})
			}
		}
		p.send(c, reply(m, files))
	case "StartUnit", "StopUnit", "RestartUnit", "ReloadUnit", "TryRestartUnit":
		unit := m.Body[0].(string)
		p.asked = append(p.asked, member+" "+unit+" "+m.Body[1].(string))
		result := p.results[member+" "+unit]
		if strings.HasPrefix(result, "org.") {
			p.send(c, failure(m, result))
			return
		}
		job := p.begin(unit, kindOf(member))
		if p.quick {
			delete(p.kinds, job)
		}
		p.send(c, reply(m, job))
		if result == "" {
			return
		}
		p.end(job, unit, member, result)
	case "StartTransientUnit":
		p.transient(c, m)
	case "EnableUnitFiles", "DisableUnitFiles", "MaskUnitFiles", "UnmaskUnitFiles":
		p.files(c, m, member)
	case "Reload":
		p.asked = append(p.asked, member)
		p.send(c, reply(m))
	case "ResetFailedUnit":
		p.asked = append(p.asked, member+" "+m.Body[0].(string))
		p.send(c, reply(m))
	default:
		p.send(c, failure(m, "org.freedesktop.DBus.Error.UnknownMethod"))
	}
}

// named is the unit at a path.
func named(path dbus.ObjectPath) string {
	return unescape(string(path[strings.LastIndexByte(string(path), '/')+1:]))
}

// kindOf is the type of the job that a call enqueues.
func kindOf(member string) string {
	return map[string]string{"StartUnit": "start", "StopUnit": "stop", "RestartUnit": "restart", "ReloadUnit": "reload", "TryRestartUnit": "try-restart"}[member]
}

// begin enqueues a job and tells everybody.
func (p *PID1) begin(unit, kind string) dbus.ObjectPath {
	p.jobs++
	job := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", p.jobs))
	p.kinds[job] = kind
	p.changed(unit)
	for _, x := range p.conns {
		p.send(x, signal("JobNew", uint32(p.jobs), job, unit))
	}
	return job
}

// changed tells everybody how a unit stands.
func (p *PID1) changed(unit string) {
	props := map[string]dbus.Variant{"ActiveState": dbus.MakeVariant(p.units[unit]["ActiveState"])}
	for _, x := range p.conns {
		m := signal("PropertiesChanged", "org.freedesktop.systemd1.Unit", props, []string{"Conditions"})
		m.Headers[dbus.FieldInterface] = dbus.MakeVariant("org.freedesktop.DBus.Properties")
		m.Headers[dbus.FieldPath] = dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/systemd1/unit/" + systemd.PathBusEscape(unit)))
		p.send(x, m)
	}
}

// end carries the job out and tells everybody.
func (p *PID1) end(job dbus.ObjectPath, unit, member, result string) {
	if result == "done" && member != "ReloadUnit" {
		id := p.units[unit]["InvocationID"].([]byte)
		p.units[unit]["InvocationID"] = bytes.Repeat([]byte{id[0] + 1}, 16)
		p.units[unit]["ActiveState"] = map[bool]string{true: "inactive", false: "active"}[member == "StopUnit" || p.units[unit]["Type"] == "oneshot"]
	}
	p.changed(unit)
	delete(p.kinds, job)
	for _, x := range p.conns {
		p.send(x, signal("JobRemoved", uint32(p.jobs), job, unit, result))
	}
}

// Order is a job that somebody else asks for, such as StopUnit. A quick one is
// forgotten before anybody can ask what kind it was.
func (p *PID1) Order(member, unit, result string, quick bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	job := p.begin(unit, kindOf(member))
	if quick {
		delete(p.kinds, job)
	}
	p.end(job, unit, member, result)
	if !quick {
		p.kinds[job] = kindOf(member)
	}
}

// Lazy leaves the first call of each connection lying, as systemd does when it
// arrives together with the end of the handshake.
func (p *PID1) Lazy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lazy = true
}

// Quick makes the jobs of calls be forgotten before anybody can ask their kind.
func (p *PID1) Quick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quick = true
}

// Set changes one property of a unit.
func (p *PID1) Set(unit, property string, value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.units[unit][property] = value
}

// Tell tells everybody how a unit stands, as after a death.
func (p *PID1) Tell(unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed(unit)
}

// Say sends everybody a signal of the manager, such as UnitFilesChanged.
func (p *PID1) Say(member string, body ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		p.send(c, signal(member, body...))
	}
}

// System sets the state of the whole system: running, stopping.
func (p *PID1) System(state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = state
}

// Break ends every connection.
func (p *PID1) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

func reply(to *dbus.Message, body ...any) *dbus.Message {
	m := &dbus.Message{Type: dbus.TypeMethodReply, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(to.Serial())}}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	return m
}

func failure(to *dbus.Message, name string) *dbus.Message {
	m := reply(to, "made up")
	m.Type = dbus.TypeError
	m.Headers[dbus.FieldErrorName] = dbus.MakeVariant(name)
	return m
}

// signal is one of the manager's: JobNew or JobRemoved.
func signal(member string, body ...any) *dbus.Message {
	return &dbus.Message{Type: dbus.TypeSignal, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/systemd1")),
		dbus.FieldInterface: dbus.MakeVariant("org.freedesktop.systemd1.Manager"),
		dbus.FieldMember:    dbus.MakeVariant(member),
		dbus.FieldSender:    dbus.MakeVariant("org.freedesktop.systemd1"),
		dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...)),
	}}
}

func (p *PID1) send(c net.Conn, m *dbus.Message) {
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		p.t.Errorf("encode: %v", err)
		return
	}
	// The serial of a message of our own is not the library's to set: any but 0.
	binary.LittleEndian.PutUint32(b.Bytes()[8:], 1)
	_, _ = c.Write(b.Bytes()) // a client that has gone is no fault of ours
}

// unescape turns a bus path's element back into a unit's name.
func unescape(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			var b byte
			if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &b); err == nil {
				out = append(out, b)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
