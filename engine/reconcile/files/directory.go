package files

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// directorySpec is a document of kind Directory.
type directorySpec struct {
	reconcile.Common `yaml:",inline"`
	attributes       `yaml:",inline"`
	Path             string   `yaml:"path"`
	Purge            bool     `yaml:"purge"`    // what no document and no keep names is taken away
	Keep             []string `yaml:"keep"`     // names, * is any run of characters
	MaxPurge         int      `yaml:"maxPurge"` // more than this at once is taken for a mistake; 10
}

// mostPurged bounds what a document may have taken away at once: each entry is an
// act of its own, with its record, and a revision waits for them.
const mostPurged = 1000

// Folder is a folder as a document wants it.
type Folder struct {
	key      reconcile.Key
	path     string
	attr     attributes
	purge    bool
	keep     []string
	scratch  []string // what others' documents are written into before it counts
	maxPurge int
	absent   bool
	old      bool
}

// Directory reads a document of this kind.
func Directory(s *site.Site) site.Resource {
	v := directorySpec{Common: s.Common, MaxPurge: 10}
	s.Decode(&v)
	s.Common = v.Common
	d := &Folder{path: s.Path("path", v.Path), attr: v.attributes, purge: v.Purge,
		keep: v.Keep, maxPurge: v.MaxPurge, absent: v.Mode == reconcile.Absent}
	d.attr.check(s)
	if s.Trust.Above(v.Path) && (d.purge || d.absent || d.attr != attributes{}) {
		s.AsCommand("path", v.Path+" as a whole, in which programs lie that others run,")
	}
	d.key = reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "file:" + v.Path}
	if v.MaxPurge < 1 || v.MaxPurge > mostPurged {
		s.Bad("maxPurge", "expected 1 to %d entries", mostPurged)
	}
	for _, k := range v.Keep {
		if k == "" || strings.Contains(k, "/") || strings.Count(k, "*") > 8 {
			s.Bad("keep", "%q is no name of an entry", k)
		}
	}
	return d
}

// Children lets the folder keep what other documents want in it.
func (d *Folder) Children(paths []string) {
	for _, p := range paths {
		if rest, ok := strings.CutPrefix(p, d.path+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			d.keep = append(d.keep, name)
			d.scratch = append(d.scratch, reconcile.Scratch(name))
		}
	}
}

// Purges reports whether what no document names is taken away.
func (d *Folder) Purges() bool { return d.purge }

func (d *Folder) Key() reconcile.Key { return d.key }
func (d *Folder) Wants() any         { return []any{d.key, d.desired(), d.purge, d.keep, d.maxPurge} }
func (d *Folder) Claims() []string   { return []string{"file:" + d.path} }

func (d *Folder) desired() reconcile.State {
	st := reconcile.State{reconcile.Exists: site.Truth(!d.absent)}
	if !d.absent {
		d.attr.into(st)
	}
	return st
}

func (d *Folder) Observe(ctx context.Context, w reconcile.World) (reconcile.Observed, error) {
	got, err := w.File(ctx, d.path, reconcile.LookMeta)
	if err != nil {
		return reconcile.Observed{}, err
	}
	st := reconcile.State{}
	switch got.Type {
	case "":
		st[reconcile.Exists] = reconcile.No
		return reconcile.Observed{State: st}, nil
	case "directory":
		st[reconcile.Exists] = reconcile.Yes
	default:
		st[reconcile.Exists] = got.Type
		return reconcile.Observed{State: st}, nil
	}
	d.attr.seen(got, st)
	if !d.purge && !d.absent {
		return reconcile.Observed{State: st}, nil
	}
	es, err := w.Entries(ctx, d.path)
	if err != nil {
		return reconcile.Observed{}, err
	}
	for _, e := range es {
		if slices.Contains(d.scratch, e.Name) {
			continue // another act is at work
		}
		if !slices.ContainsFunc(d.keep, func(k string) bool { return reconcile.Glob(k, e.Name) }) {
			st["entry:"+e.Name] = e.Type
		}
	}
	return reconcile.Observed{State: st}, nil
}

func (d *Folder) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	var surplus []reconcile.Difference
	for _, f := range seen.State.Fields() {
		if strings.HasPrefix(f, "entry:") {
			surplus = append(surplus, reconcile.Difference{Field: f, Found: seen.State[f], Class: reconcile.Drift})
		}
	}
	if d.absent {
		if d.old && len(surplus) > 0 {
			return nil // others live there now
		}
		return reconcile.Diff(d.desired(), last, seen.State)
	}
	out := reconcile.Diff(d.desired(), last, seen.State)
	if d.purge && len(surplus) > d.maxPurge {
		return append(out, reconcile.Difference{Field: "entries", Class: reconcile.Drift, Wanted: fmt.Sprintf("at most %d that no document names", d.maxPurge), Found: fmt.Sprint(len(surplus))})
	}
	if d.purge {
		out = append(out, surplus...)
	}
	return out
}

func (d *Folder) Heal(seen reconcile.Observed, diffs []reconcile.Difference) (steps []reconcile.Step) {
	with := map[string]any{"path": d.path}
	own := false
	for _, x := range diffs {
		name, entry := strings.CutPrefix(x.Field, "entry:")
		at := path.Join(d.path, name)
		switch {
		case x.Field == "entries": // a person decides
		case entry && x.Found == "directory":
			steps = append(steps, reconcile.Step{Action: "directory", With: d.gone(at), Summary: "remove the empty folder " + at})
		case entry:
			st := reconcile.Step{Action: "file", With: d.gone(at), Summary: "remove " + at}
			if x.Found != "file" && x.Found != "link" {
				st.Final = "it is neither a file nor a link"
			}
			steps = append(steps, st)
		case x.Field == reconcile.Exists && d.absent:
			with, own = d.gone(d.path), true
		case x.Field == reconcile.Exists:
			d.attr.with(with)
			own = true
		default:
			with[x.Field], own = x.Wanted, true
		}
	}
	if own {
		st := reconcile.Step{Action: "directory", With: with, Summary: "set up the folder " + d.path}
		if d.absent {
			st.Summary = "remove the folder " + d.path
		}
		steps = append([]reconcile.Step{st}, steps...)
	}
	return steps
}

// gone are the parameters that take a path away; the owner is in whose folder it
// may be.
func (d *Folder) gone(at string) map[string]any {
	m := map[string]any{"path": at, "absent": true}
	if d.attr.Owner != "" {
		m["owner"] = d.attr.Owner
	}
	return m
}

// RetireDirectory takes away a folder that is empty.
func RetireDirectory(key reconcile.Key, last reconcile.State) reconcile.Resource {
	return &Folder{key: key, path: strings.TrimPrefix(key.Subject, "file:"), absent: true, old: true, attr: attributes{Owner: last["owner"]}}
}
