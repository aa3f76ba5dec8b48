// Package units is the kinds of documents that are about what runs: Service,
// Timer, Process, Sysctl.
//
// Steps come in the order that systemd needs. It refuses unit files and other
// commands unless the local trust allows them, vigild's own unit, and to fight for
// what cannot be switched (a static unit, one that nobody describes): such a
// difference is told and has no step. Pure but for Observe, which blocks and ends
// with its context.
package units

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// serviceSpec is a document of kind Service: a unit of systemd, or a service of
// OpenRC, runit or SysV where one of these runs instead.
type serviceSpec struct {
	reconcile.Common `yaml:",inline"`
	Unit             string                   `yaml:"unit"`    // the document's name by default, .service is understood
	State            string                   `yaml:"state"`   // running, stopped; nothing: left to others
	Enabled          *bool                    `yaml:"enabled"` // nothing: left to others
	Masked           *bool                    `yaml:"masked"`
	File             document.Node            `yaml:"file"`   // the unit file as text
	Source           string                   `yaml:"source"` // or a file of the tree
	DropIns          map[string]document.Node `yaml:"dropIns"`
	Config           []string                 `yaml:"config"`   // files: it has to have started after they changed
	OnChange         string                   `yaml:"onChange"` // restart (default), reload, nothing
}

// unitFolder is where unit files of the administrator live.
const unitFolder = "/etc/systemd/system/"

type service struct {
	key      reconcile.Key
	unit     string
	state    reconcile.State   // wanted
	files    map[string][]byte // field -> text
	config   []string
	onChange string
	absent   bool
	remove   []string // fields of files that are to go
}

var (
	unitName   = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_:.@-]*\.(service|socket|timer|target|mount|path|slice)$`)
	dropInName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*\.conf$`)
)

// Service reads a document of this kind.
func Service(s *site.Site) site.Resource {
	v := serviceSpec{Common: s.Common}
	s.Decode(&v)
	s.Common = v.Common
	if v.Unit == "" {
		v.Unit = s.Doc.Name
	}
	r := newService(s, v.Unit)
	r.absent = v.Mode == reconcile.Absent
	r.onChange = s.OneOf("onChange", v.OnChange, "restart", "reload", "nothing")
	if v.State != "" {
		r.state["active"] = site.Truth(s.OneOf("state", v.State, "running", "stopped") == "running")
	}
	if v.Enabled != nil {
		r.state["enabled"] = site.Truth(*v.Enabled)
	}
	if v.Masked != nil {
		r.state["masked"] = site.Truth(*v.Masked)
		if *v.Masked && (v.State == "running" || v.Enabled != nil && *v.Enabled) {
			s.Bad("masked", "what is masked can neither run nor be enabled")
		}
		if *v.Masked && (!v.File.Absent() || v.Source != "") {
			s.Bad("masked", "what is masked has no unit file")
		}
	}
	if starts := r.state["active"] == reconcile.Yes || r.state["enabled"] == reconcile.Yes; starts && reconcile.Powerful(r.unit) {
		s.AsCommand("unit", r.unit+", which ends all that runs or opens a shell,")
	}
	if ends := r.state["active"] == reconcile.No || r.state["masked"] == reconcile.Yes || r.absent; ends && reconcile.Foundation(r.unit) {
		s.Bad("unit", "%s holds up everything that runs, vigild itself too", r.unit)
	}
	r.implied()
	text := []byte(s.Text("file", v.File, false))
	if v.Source != "" {
		if !v.File.Absent() {
			s.Bad("source", "file and source exclude each other")
		}
		text = s.FromTree("source", v.Source)
	}
	if len(text) > 0 {
		// Not ExecStart alone: Environment, RootImage, OnFailure and more make it run others' code.
		s.AsCommand("file", "a unit file")
		r.put("unitfile", text)
	}
	for name, n := range v.DropIns {
		if len(name) > 106 || !dropInName.MatchString(name) {
			s.Mend("dropIns", "write one such as 10-memory.conf", "%q is no name of a drop-in", name)
		}
		s.AsCommand("dropIns."+name, "a drop-in of a unit")
		r.put("dropin:"+name, []byte(s.Text("dropIns."+name, n, false)))
	}
	for _, p := range v.Config {
		if !strings.HasPrefix(p, "/") {
			s.Bad("config", "%q is no absolute path", p)
		}
	}
	if r.config = v.Config; len(r.config) > 0 && r.state["active"] == reconcile.Yes {
		r.state["fresh"] = reconcile.Yes
	}
	return r
}

func newService(s *site.Site, unit string) *service {
	unit = reconcile.UnitName(unit)
	if !isUnit(unit) || strings.Contains(unit, "..") {
		s.Mend("unit", "write one such as web.service", "%q is no name of a unit", unit)
	}
	if reconcile.Itself(unit) {
		s.Bad("unit", "%s is vigild itself, which no document may touch", unit)
	}
	return &service{unit: unit, state: reconcile.State{}, files: map[string][]byte{}, onChange: "restart",
		key: reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "systemd:" + unit}}
}

// implied: what has to run or to be enabled cannot be masked, and systemd has to
// have read what it starts.
func (r *service) implied() {
	if _, said := r.state["masked"]; !said && (r.state["active"] == reconcile.Yes || r.state["enabled"] == reconcile.Yes) {
		r.state["masked"] = reconcile.No
	}
	r.state["reload"] = reconcile.No
}

func (r *service) put(field string, text []byte) {
	r.files[field] = text
	r.state[field] = site.Sum(text)
}

// path is where the file of a field lives.
func (r *service) path(field string) string {
	if name, ok := strings.CutPrefix(field, "dropin:"); ok {
		return unitFolder + r.unit + ".d/" + name
	}
	return unitFolder + r.unit
}

func isFile(field string) bool { return field == "unitfile" || strings.HasPrefix(field, "dropin:") }

func (r *service) Key() reconcile.Key { return r.key }
func (r *service) Wants() any         { return []any{r.key, r.state, r.config, r.onChange, r.absent} }

func (r *service) Claims() []string {
	out := []string{r.key.Subject}
	for f := range r.files {
		out = append(out, "file:"+r.path(f))
	}
	return out
}

// Watches are the files that it has to have started after.
func (r *service) Watches() []string { return r.config }

func (r *service) Observe(ctx context.Context, w reconcile.World) (reconcile.Observed, error) {
	u, err := w.Unit(ctx, r.unit)
	if err != nil {
		return reconcile.Observed{}, err
	}
	if err := r.untold(u); err != nil {
		return reconcile.Observed{}, err
	}
	st := reconcile.State{reconcile.Exists: reconcile.Yes}
	st["active"] = site.Truth(slices.Contains([]string{"active", "activating", "reloading", "refreshing"}, u.Active))
	if u.Active == "failed" {
		st["active"] = "failed"
	}
	st["masked"] = site.Truth(strings.HasPrefix(u.FileState, "masked") || u.Load == "masked")
	switch u.FileState {
	case "enabled", "enabled-runtime":
		st["enabled"] = reconcile.Yes
	case "disabled", "masked", "masked-runtime", "", "bad", "linked", "linked-runtime":
		st["enabled"] = reconcile.No
	default:
		st["enabled"] = u.FileState // static, indirect, generated: nothing to switch
	}
	st["reload"] = site.Truth(u.NeedReload)
	missing := u.Load == "not-found" || u.Load == ""
	for _, f := range append(reconcile.State(r.state).Fields(), r.remove...) {
		if !isFile(f) {
			continue
		}
		got, err := w.File(ctx, r.path(f), reconcile.LookHash)
		if err != nil {
			return reconcile.Observed{}, err
		}
		switch got.Type {
		case "":
		case "file":
			st[f] = got.SHA256
		default:
			st[f] = got.Type
		}
	}
	if r.state["fresh"] != "" {
		st["fresh"] = reconcile.Yes
		for _, p := range r.config {
			if err := site.Still(ctx); err != nil {
				return reconcile.Observed{}, err
			}
			f, err := w.File(ctx, p, reconcile.LookMeta)
			if err != nil {
				return reconcile.Observed{}, err
			}
			if f.Type != "" && !u.Started.IsZero() && f.Changed.After(u.Started) {
				st["fresh"] = reconcile.No
			}
		}
	}
	if missing && r.state["unitfile"] == "" {
		st[reconcile.Exists] = reconcile.No
	}
	return reconcile.Observed{State: st}, nil
}

// untold refuses what the document says and the init system has no word for: it would
// be neither seen nor done.
func (r *service) untold(u reconcile.Unit) error {
	var says []string
	for f, v := range r.state {
		field := f
		switch {
		case f == "masked" && v == reconcile.No, f == "reload":
			continue // so it is where nothing can be masked
		case f == "unitfile":
			field = "file"
		case isFile(f):
			field = "dropIns"
		case f == "fresh":
			field = "config"
		}
		if slices.Contains(u.Untold, field) && !slices.Contains(says, field) {
			says = append(says, field)
		}
	}
	if len(says) == 0 {
		return nil
	}
	slices.Sort(says)
	return fault.New(fault.Unsupported, "%s is kept by %s here, which has no word for %s", r.unit, u.Init, strings.Join(says, ", ")).
		At(r.key.Ref()).Mend("leave it out on this host, or write what is meant as a File")
}

func (r *service) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	if !r.absent {
		ds := reconcile.Diff(r.state, last, seen.State)
		return slices.DeleteFunc(ds, func(d reconcile.Difference) bool { // a failed unit does not run: that is what was wanted
			return d.Field == "active" && d.Wanted == reconcile.No && d.Found == "failed"
		})
	}
	if seen.State[reconcile.Exists] == reconcile.No {
		return nil
	}
	out := site.Gone(seen.State, slices.Sorted(slices.Values(r.leaving()))...)
	for _, f := range []string{"active", "enabled"} {
		if seen.State[f] == reconcile.Yes && r.state[f] != "left" {
			out = append(out, reconcile.Difference{Field: f, Wanted: reconcile.No, Found: reconcile.Yes, Class: reconcile.Pending})
		}
	}
	return out
}

func (r *service) leaving() []string {
	out := slices.Clone(r.remove)
	for f := range r.files {
		out = append(out, f)
	}
	return out
}

// Heal goes in the order that systemd needs: unmask, files, reload, enable, then
// start or stop, and mask last.
func (r *service) Heal(seen reconcile.Observed, diffs []reconcile.Difference) (steps []reconcile.Step) {
	differs := map[string]reconcile.Difference{}
	for _, d := range diffs {
		if d.Field == reconcile.Exists {
			return nil // a unit that nobody describes cannot be made
		}
		differs[d.Field] = d
	}
	unit := func(verb string) {
		st := reconcile.Step{Action: "unit", With: map[string]any{"verb": verb}, Summary: verb + " " + r.unit}
		if verb == "daemon-reload" {
			st.Final = "systemd keeps what it has read until it reads again"
		} else {
			st.With["unit"] = r.unit
		}
		steps = append(steps, st)
	}
	run := func(verb string) {
		st := reconcile.Step{Action: "service", With: map[string]any{"unit": r.unit, "verb": verb}, Summary: verb + " " + r.unit}
		if verb == "restart" || verb == "reload" {
			st.Final = "what " + r.unit + " had in memory does not come back"
		}
		steps = append(steps, st)
	}
	if r.absent {
		if _, ok := differs["active"]; ok {
			run("stop")
		}
	}
	if d, ok := differs["masked"]; ok && d.Wanted == reconcile.No {
		unit("unmask")
	}
	if _, ok := differs["enabled"]; ok && r.absent {
		unit("disable")
	}
	written := false
	for _, d := range diffs {
		if isFile(d.Field) {
			steps = append(steps, site.Keep(r.path(d.Field), r.files[d.Field], r.absent))
			written = true
		}
	}
	_, stale := differs["reload"]
	if written || stale {
		unit("daemon-reload")
	}
	if r.absent {
		return steps
	}
	if d, ok := differs["enabled"]; ok && (d.Found == reconcile.Yes || d.Found == reconcile.No) {
		unit(map[string]string{reconcile.Yes: "enable", reconcile.No: "disable"}[d.Wanted])
	}
	_, old := differs["fresh"]
	running := seen.State["active"] == reconcile.Yes
	switch d, ok := differs["active"]; {
	case ok && d.Wanted == reconcile.Yes:
		run("start")
	case ok:
		run("stop")
	case old: // a reload would not make it younger
		run("restart")
	case written && running && r.state["active"] == reconcile.Yes && r.onChange != "nothing":
		run(r.onChange)
	}
	if d, ok := differs["masked"]; ok && d.Wanted == reconcile.Yes {
		unit("mask")
	}
	return steps
}

// RetireService takes away the files that were written, and ends what was
// started; a unit that came from elsewhere is left as it stands.
func RetireService(k reconcile.Key, last reconcile.State) reconcile.Resource {
	r := &service{key: k, unit: strings.TrimPrefix(k.Subject, "systemd:"), absent: true, state: reconcile.State{}}
	for f := range last {
		if isFile(f) {
			r.remove = append(r.remove, f)
		}
	}
	if last["unitfile"] == "" {
		r.state["active"], r.state["enabled"] = "left", "left"
	}
	return r
}

// isUnit holds a name to its shape and length. A repetition that is counted in the
// expression would cost hundreds of kilobytes from the start of the process.
func isUnit(name string) bool { return len(name) <= 210 && unitName.MatchString(name) }
