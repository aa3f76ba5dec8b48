package kind_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"vigil/engine/reconcile"
)

// model is a world in memory, and what the kinds of action promise of it. It is
// the oracle of convergence: steps have an effect here exactly as far as their
// parameters say.
type model struct {
	files  map[string]*entry
	units  map[string]*unit
	sysctl map[string]string
	procs  map[string]*proc
	now    time.Time
}

type entry struct {
	kind, content, perm, owner, group string
	changed                           time.Time
}

type unit struct {
	active, enabled string // active: active, inactive, failed
	masked, stale   bool
	started         time.Time
}

type proc struct {
	running, stale bool // stale: it runs by another command
	command        *reconcile.Command
}

func newModel() *model {
	return &model{files: map[string]*entry{}, units: map[string]*unit{}, sysctl: map[string]string{}, procs: map[string]*proc{}, now: time.Unix(1000, 0)}
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func (m *model) File(_ context.Context, p string, look reconcile.Look) (reconcile.File, error) {
	e := m.files[p]
	if e == nil {
		return reconcile.File{}, nil
	}
	perm, _ := strconv.ParseUint(e.perm, 8, 32)
	f := reconcile.File{Type: e.kind, Mode: uint32(perm), Owner: e.owner, Group: e.group, Changed: e.changed}
	if e.kind == "file" && look >= reconcile.LookHash {
		f.SHA256 = digest(e.content)
	}
	if e.kind == "file" && look == reconcile.LookContent {
		f.Content = []byte(e.content)
	}
	return f, nil
}

func (m *model) Entries(_ context.Context, p string) (out []reconcile.Entry, _ error) {
	for name, e := range m.files {
		if path.Dir(name) == p {
			out = append(out, reconcile.Entry{Name: path.Base(name), Type: e.kind})
		}
	}
	return out, nil
}

func (m *model) Unit(_ context.Context, name string) (reconcile.Unit, error) {
	u := m.units[name]
	if u == nil {
		return reconcile.Unit{Load: "not-found", Active: "inactive"}, nil
	}
	out := reconcile.Unit{Load: "loaded", Active: u.active, FileState: u.enabled, NeedReload: u.stale, Started: u.started}
	if u.masked {
		out.Load, out.FileState = "masked", "masked"
	}
	return out, nil
}

func (m *model) Sysctl(_ context.Context, name string) (string, bool, error) {
	v, ok := m.sysctl[name]
	return v, ok, nil
}

func (m *model) Process(_ context.Context, name string) (reconcile.Process, error) {
	p := m.procs[name]
	if p == nil {
		return reconcile.Process{}, nil
	}
	return reconcile.Process{Known: true, Running: p.running, Command: p.command, Current: !p.stale}, nil
}

// act carries out one step.
func (m *model) act(t testing.TB, s reconcile.Step) {
	t.Helper()
	m.now = m.now.Add(time.Second)
	text := func(k string) string { v, _ := s.With[k].(string); return v }
	p := text("path")
	e := m.files[p]
	switch s.Action {
	case "file", "directory":
		switch {
		case s.With["absent"] == true:
			delete(m.files, p)
			return
		case e == nil || e.kind == "link" && s.Action == "file":
			e = &entry{kind: s.Action, perm: "0644", owner: "root", group: "root", changed: m.now}
			m.files[p] = e
		case e.kind != s.Action:
			return // a folder is not replaced by a file
		}
		if sha := text("sha256"); sha != "" {
			if s.Content == nil {
				t.Fatalf("%s: no content is brought for the one that is named", s.Summary)
			}
			if digest(string(s.Content)) != sha {
				t.Fatalf("%s: the content is not the one that is named", s.Summary)
			}
			if was, ok := s.With["was"]; ok && was != "absent" && was != digest(e.content) {
				t.Fatalf("%s: the file changed meanwhile", s.Summary)
			}
			e.content, e.changed = string(s.Content), m.now
		}
		for k, at := range map[string]*string{"permissions": &e.perm, "owner": &e.owner, "group": &e.group} {
			if v := text(k); v != "" {
				*at = v
			}
		}
		if dir := "/etc/systemd/system/"; strings.HasPrefix(p, dir) {
			name := strings.TrimPrefix(p, dir)
			if i := strings.Index(name, ".d/"); i > 0 {
				name = name[:i]
			}
			if m.units[name] == nil {
				m.units[name] = &unit{active: "inactive", enabled: "disabled"}
			}
			m.units[name].stale = true
		}
	case "sysctl":
		m.sysctl[text("name")] = text("value")
	case "process":
		m.procs[text("process")].running = text("verb") == "start"
	case "declare":
		if text("verb") == "remove" {
			delete(m.procs, text("process"))
			return
		}
		c, err := reconcile.ReadCommand(s.Content)
		if err != nil || digest(string(s.Content)) != text("sha256") {
			t.Fatalf("%s: the definition is not the one that is named: %v", s.Summary, err)
		}
		m.procs[text("process")] = &proc{running: text("verb") == "run", command: &c}
	case "unit", "service":
		if text("verb") == "daemon-reload" {
			for _, u := range m.units {
				u.stale = false
			}
			return
		}
		u := m.units[text("unit")]
		if u == nil {
			t.Fatalf("%s: there is no such unit", s.Summary)
		}
		switch text("verb") {
		case "enable", "disable":
			u.enabled = text("verb") + "d"
		case "mask", "unmask":
			u.masked = text("verb") == "mask"
		case "start", "restart":
			if u.masked || u.stale {
				t.Fatalf("%s: masked %v, stale %v", s.Summary, u.masked, u.stale)
			}
			u.active, u.started = "active", m.now
		case "reload":
		case "stop":
			u.active = "inactive"
		default:
			t.Fatalf("unknown verb in %v", s)
		}
	default:
		t.Fatalf("unknown action %q", s.Action)
	}
}

func (m *model) dump() string {
	var b strings.Builder
	for p, e := range m.files {
		fmt.Fprintf(&b, "%s %+v\n", p, *e)
	}
	for n, u := range m.units {
		fmt.Fprintf(&b, "%s %+v\n", n, *u)
	}
	return b.String()
}
