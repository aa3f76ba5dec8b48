// Package manifest writes documents: how a thing of the machine stands, the
// examples of a first commit, and changed values in a document that is there.
//
// What the Of functions write, read again and compared with the same machine,
// differs in nothing but what a warning names. [Edit] changes values of a text
// and leaves every other byte; what cannot be changed in place is an error and
// no guess. [Accept] says which values and files would make a document say what
// was found.
//
// It refuses I/O, and knowledge of repositories. Pure; everything may be called
// concurrently.
package manifest

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// File is one file of a tree.
type File struct {
	Path string // from the root of the tree
	Data []byte
}

// Manifest is how one thing stands, as a document.
type Manifest struct {
	Kind, Name string
	Path       string // of the document in the tree
	Text       string
	Files      []File   // that it names as source, beside it
	Warnings   []string // what stands in the way of pushing it, and what it does not say
}

// Options say where a document goes and what the host would take.
type Options struct {
	Name   string          // of the document; "" made from the thing
	Folder string          // of the tree, such as hosts/web1
	Trust  reconcile.Trust // what it would not take is a warning
}

// OfPath writes a File or a Directory. f has its content when it is a file.
// Unprocessable: no document can say what stands there.
func OfPath(p string, f reconcile.File, o Options) (*Manifest, error) {
	if o.Name == "" {
		o.Name = plain(strings.TrimPrefix(p, "/"))
	}
	m, w := begin("File", o)
	switch f.Type {
	case "":
		return nil, fault.New(fault.NotFound, "there is nothing at %s", p)
	case "file":
	case "directory":
		m.Kind = "Directory"
		w.b.Reset()
		w.head(m.Kind, o.Name)
	case "link":
		return nil, fault.New(fault.Unprocessable, "%s is a symbolic link, and no document is about links", p).Mend("adopt what it leads to: realpath %s", p)
	default:
		return nil, fault.New(fault.Unprocessable, "%s is neither a file nor a folder", p)
	}
	w.scalar("path", p)
	if m.Kind == "File" {
		w.content(m, "content", f.Content)
		m.secret(p, f.Content)
		if f.Mode&0o004 == 0 && len(m.Files)+len(f.Content) > 0 {
			m.warn("%s is not readable by everybody, and whoever may fetch the repository could read it: a secret belongs under secret, sealed with age", p)
		}
	}
	w.quoted("permissions", fmt.Sprintf("%04o", f.Mode&0o7777))
	w.scalar("owner", account(f.Owner, f.UID))
	w.scalar("group", account(f.Group, f.GID))
	if f.Mode&0o6000 != 0 && f.Mode&0o111 != 0 && !o.Trust.Commands {
		m.warn("%s runs as its owner (permissions %04o), which needs git.trust_commands = true", p, f.Mode&0o7777)
	}
	m.path(p, o.Trust)
	return m.end(w, o)
}

// OfUnit writes a Service. files are the unit file and the drop-ins of the
// administrator, by path; they go with the document when the host trusts
// documents with commands. NotFound: systemd has no such unit.
func OfUnit(unit string, u reconcile.Unit, files map[string][]byte, o Options) (*Manifest, error) {
	if u.Load == "not-found" || u.Load == "" {
		if u.Init != "" {
			return nil, fault.New(fault.NotFound, "%s keeps no service %s", u.Init, strings.TrimSuffix(unit, ".service"))
		}
		return nil, fault.New(fault.NotFound, "systemd has no unit %s", unit).Mend("systemctl list-unit-files")
	}
	if o.Name == "" {
		o.Name = strings.TrimSuffix(unit, ".service")
	}
	m, w := begin("Service", o)
	if unit != o.Name+".service" {
		w.scalar("unit", unit)
	}
	masked := strings.HasPrefix(u.FileState, "masked") || u.Load == "masked"
	running := slices.Contains([]string{"active", "activating", "reloading", "refreshing"}, u.Active)
	switch {
	case running && masked:
		m.warn("%s runs though it is masked, which no document can ask for: its state is left out", unit)
	case running:
		w.scalar("state", "running")
	default:
		w.scalar("state", "stopped")
		if u.Active == "failed" {
			m.warn("%s has failed; the document says stopped", unit)
		}
	}
	switch {
	case masked:
		w.word("masked", "true")
	case u.FileState == "enabled" || u.FileState == "enabled-runtime":
		w.word("enabled", "true")
	case u.FileState == "disabled":
		w.word("enabled", "false")
	default:
		m.warn("%s is %s, which nobody switches: whether it is enabled is left out", unit, cmp.Or(u.FileState, "of no file"))
	}
	if u.NeedReload {
		m.warn("systemd has not read the newest files of %s: until systemctl daemon-reload that is a difference", unit)
	}
	m.unitFiles(w, unit, files, masked, o)
	return m.end(w, o)
}

// unitFiles adds the files of the administrator.
func (m *Manifest) unitFiles(w *writer, unit string, files map[string][]byte, masked bool, o Options) {
	own := "/etc/systemd/system/" + unit
	var dropIns []string
	for p := range files {
		if strings.HasPrefix(p, own+".d/") {
			dropIns = append(dropIns, p)
		}
	}
	slices.Sort(dropIns)
	text, is := files[own]
	if !o.Trust.Commands {
		for _, p := range append(dropIns, own) {
			if _, is := files[p]; is {
				m.warn("%s is left out: documents are trusted with unit files under git.trust_commands = true alone", p)
			}
		}
		return
	}
	if is && !masked {
		w.content(m, "file", text)
		m.secret(own, text)
	}
	begun := false
	for _, p := range dropIns {
		if !Inline(files[p]) { // a drop-in has no source
			m.warn("%s is left out: it is no plain text", p)
			continue
		}
		if !begun {
			w.b.WriteString("  dropIns:\n")
			begun = true
		}
		w.text(4, path.Base(p), string(files[p]))
		m.secret(p, files[p])
	}
}

// OfSysctl writes a Sysctl.
func OfSysctl(name, value string, o Options) (*Manifest, error) {
	value = strings.Join(strings.Fields(value), " ")
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) || len(value) > 1024 {
		return nil, fault.New(fault.Unprocessable, "%s has no value of one plain line", name)
	}
	if o.Name == "" {
		o.Name = plain(name)
	}
	m, w := begin("Sysctl", o)
	w.scalar("name", name)
	w.quoted("value", value)
	m.warn("applied, the value is also kept over a reboot, in a file of /etc/sysctl.d: that is a difference as long as there is none")
	return m.end(w, o)
}

// OfProcess writes a Process: with its command where a document declared it, for the
// local config's stands there alone.
func OfProcess(name string, p reconcile.Process, o Options) (*Manifest, error) {
	if !p.Known {
		return nil, fault.New(fault.NotFound, "there is no process %q", name)
	}
	if o.Name == "" {
		o.Name = name
	}
	m, w := begin("Process", o)
	if o.Name != name {
		w.scalar("process", name)
	}
	w.scalar("state", map[bool]string{true: "running", false: "stopped"}[p.Running])
	if p.Command != nil {
		m.command(w, *p.Command, o)
	}
	return m.end(w, o)
}

func begin(kind string, o Options) (*Manifest, *writer) {
	m, w := &Manifest{Kind: kind, Name: o.Name, Path: path.Join(o.Folder, plain(o.Name)+".yaml")}, &writer{}
	w.head(kind, o.Name)
	return m, w
}

// end reads the text again, as whoever takes it will.
func (m *Manifest) end(w *writer, o Options) (*Manifest, error) {
	m.Text = w.b.String()
	if !slices.Contains(o.Trust.Kinds, m.Kind) {
		m.warn("this host takes no documents of kind %s: its local config lists the kinds in git.kinds", m.Kind)
	}
	docs, is := document.Parse(m.Path, []byte(m.Text), document.Git)
	if err := is.Err(); err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err, "%s cannot be written as a document", m.Name)
	}
	if len(docs) != 1 || docs[0].Name != m.Name {
		return nil, fault.New(fault.Unprocessable, "%q cannot be the name of a document", m.Name).Mend("give another one")
	}
	return m, nil
}

func (m *Manifest) warn(format string, args ...any) {
	m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...))
}

func (m *Manifest) path(p string, t reconcile.Trust) {
	if why, mend := t.Path(p); why != "" {
		if mend != "" {
			why += " (" + mend + ")"
		}
		m.warn("this host would refuse the document: %s", why)
	}
}

func (m *Manifest) secret(p string, content []byte) {
	if why := Secretive(content); why != "" {
		m.warn("%s holds %s: whoever may fetch the repository could read it; seal it with age under secret", p, why)
	}
}

// plain makes a name of a path or of a parameter, fit for files of a tree.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-@", r):
			return r
		}
		return '-'
	}, s)
	s = strings.Trim(s, ".-")
	if len(s) > 200 {
		s = strings.Trim(s[len(s)-200:], ".-")
	}
	return cmp.Or(s, "root")
}
