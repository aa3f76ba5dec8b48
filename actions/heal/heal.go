// Package heal is the kinds of action that bring the machine to what a document
// wants: file, directory, sysctl, unit. A policy's ladder may name them too.
//
// All are convergent: done twice, the second changes nothing. All can be undone:
// Undo, asked before the act, says which request brings back what stands now, and
// keeps the bytes that this takes.
//
// It refuses every path that the local config does not list, vigild's own files
// always, links, and validate commands unless commands are trusted. Nothing runs
// but during a call; concurrent.
package heal

import (
	"path"
	"slices"
	"strings"

	"vigil/actions/blob"
	"vigil/actions/launch"
	"vigil/actions/param"
	"vigil/actions/units"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Config bounds what may be touched. Its zero value touches nothing: then there
// is none of these kinds.
type Config struct {
	Paths    []string // folders and files, whole below
	Refused  []string // vigild's own: never, whatever Paths says
	Made     []string // patterns of files that kinds of documents make, beside Paths
	Commands bool     // a file may name a validate command, a unit may be one that opens a shell, a kernel parameter one that names a program
	Sysctl   bool     // kernel parameters may be set
	Units    bool     // units may be enabled and masked
	Root     string   // prefix of /proc, for tests

	Processes bool // a document may bring the command of a process

	// Opens and Above report whether writing at a path, or owning a folder, would
	// make programs run or let people in. A ladder and a notify name these kinds as
	// well as documents do, and so are held to it here. nil: nothing does.
	Opens, Above func(path string) bool
}

// Deps is what the kinds need.
type Deps struct {
	Launcher *launch.Launcher
	Units    *units.Manager
	Contents *blob.Store
}

// Kinds lists the names of the kinds.
func Kinds() []string { return []string{"directory", "file", "sysctl", "unit"} }

// New makes the kind of a name; nil when the config has no use for it.
func New(name string, c Config, d Deps) remedy.Action {
	t := touch{c}
	switch {
	case name == "directory" && len(c.Paths) > 0:
		return directory{t}
	case name == "file" && len(c.Paths)+len(c.Made) > 0:
		return file{t, d}
	case name == "sysctl" && c.Sysctl:
		return sysctl{c.Root, c.Commands}
	case name == "unit" && c.Units && d.Units != nil:
		return unit{d.Units, c.Commands}
	}
	return nil
}

// touch is the rule of what may be touched.
type touch struct{ conf Config }

func below(folder, p string) bool {
	return p == folder || folder == "/" || strings.HasPrefix(p, folder+"/")
}

// path reads the parameter path and holds it to the rule.
func (t touch) path(p *param.Reader) string {
	v := p.Text("path", true)
	if v == "" {
		return ""
	}
	switch {
	case !strings.HasPrefix(v, "/") || slices.ContainsFunc(strings.Split(v[1:], "/"), func(s string) bool { return s == "" || s == "." || s == ".." }) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		p.Bad("path", "%q is not a plain absolute path", v)
	case slices.ContainsFunc(t.conf.Refused, func(r string) bool { return below(r, v) || below(v, r) }):
		p.Bad("path", "%s belongs to vigild itself", v)
	case slices.ContainsFunc(t.conf.Made, func(m string) bool { ok, _ := path.Match(m, v); return ok }):
	case !slices.ContainsFunc(t.conf.Paths, func(f string) bool { return below(f, v) }):
		p.Bad("path", "%s is under none of the folders that may be touched; git.paths of the local config lists them", v)
	case t.conf.Opens != nil && t.conf.Opens(v):
		p.Bad("path", "%s can make programs run or let people in; the local config allows that with git.trust_commands", v)
	}
	return v
}

// flag reads a truth value.
func flag(p *param.Reader, name string) bool {
	return p.Choice(name, "false", "true", "false") == "true"
}

// done is the result of an act, with the request that takes it back.
func done(changed bool, undo *remedy.Request) remedy.Result {
	r := remedy.Result{OK: true, Data: map[string]any{"changed": changed}}
	if changed && undo != nil {
		r.Data["undo"] = map[string]any{"action": undo.Action, "with": undo.With}
	}
	return r
}

// failed tells what could not be done apart from what could not be begun: a
// refusal (a link in the way, a folder of others) is an error, the rest a result.
func failed(err error) (remedy.Result, error) {
	switch fault.KindOf(err) {
	case fault.Conflict, fault.Timeout:
		return remedy.Result{Error: err.Error()}, nil
	}
	return remedy.Result{}, err
}
