// Package kind is the list of the kinds of documents that describe the machine:
// one file a kind in the rooms files and units, one line each here.
//
// A kind reads the spec of its document strictly, checks it against the local
// trust, and gives a reconcile.Resource that knows what it wants. Kinds that
// belong to vigild itself (policies, checks, actions, silences, maintenance) are named
// here and read elsewhere.
//
// It refuses I/O but through reconcile.World in Observe, and commands and paths
// that the local config does not allow. Invariant, for every kind: any drift is
// gone after the steps of one Heal, and a second Heal has no steps. A new kind
// (Container, Package, User, Mount, ...) is one file and one line.
package kind

import (
	"fmt"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/files"
	"vigil/engine/reconcile/site"
	"vigil/engine/reconcile/units"
)

// definition is one kind: how its spec is read, and what of it an orphan needs.
type definition struct {
	name   string
	read   func(*site.Site) site.Resource
	retire func(reconcile.Key, reconcile.State) reconcile.Resource // nil, or gives nil: nothing is taken away
}

// kinds lists every kind that describes the machine. Those of later (Container,
// Package, User, Group, AuthorizedKeys, Mount, Hosts, KernelModule,
// KubernetesObject) go here.
func kinds() []definition {
	return []definition{
		{"Cron", files.Cron, files.RetireFile},
		{"Directory", files.Directory, files.RetireDirectory},
		{"File", files.File, files.RetireFile},
		{"Process", units.Process, units.RetireProcess},
		{"Service", units.Service, units.RetireService},
		{"Sysctl", units.Sysctl, units.RetireSysctl},
		{"Timer", units.Timer, units.RetireService},
	}
}

// Owned lists the kinds that belong to vigild itself.
func Owned() []string { return []string{"Action", "Check", "Maintenance", "Policy", "Silence"} }

// Names lists every kind that a document may have.
func Names() []string {
	names := Owned()
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Deps is what reading needs beside the document.
type Deps = site.Deps

// Read reads one document. All issues are returned at once; beside issues the
// item is nil. Pure, concurrent.
func Read(doc document.Document, d Deps) (*reconcile.Item, fault.Issues) {
	for _, k := range kinds() {
		if k.name != doc.Kind {
			continue
		}
		s := &site.Site{Doc: doc, Deps: d, Common: reconcile.Common{Mode: reconcile.Enforce, Pace: reconcile.PaceDefaults()}}
		r := k.read(s)
		s.CheckCommon()
		if len(s.Issues) > 0 {
			return nil, s.Issues
		}
		it := &reconcile.Item{Resource: r, Common: s.Common, Place: doc.Place, Hash: site.Hash(r.Wants(), s.Common), Claims: r.Claims()}
		if w, ok := r.(interface{ Watches() []string }); ok {
			it.Also = w.Watches()
		}
		return it, nil
	}
	i := fault.Issue{Place: doc.Place, Msg: fmt.Sprintf("there is no kind %q", doc.Kind), Hint: "the kinds are " + strings.Join(Names(), ", ")}
	if near := document.Nearest(doc.Kind, Names()); near != "" {
		i.Hint = "did you mean " + near + "?"
	}
	return nil, fault.Issues{i}
}

// Retire is the resource that takes away what was once written and is wanted no
// more, from what the ledger remembers of it; ok is false when nothing of it is
// ever taken away.
func Retire(key reconcile.Key, last reconcile.State) (r reconcile.Resource, ok bool) {
	for _, k := range kinds() {
		if k.name != key.Kind || k.retire == nil {
			continue
		}
		if r := k.retire(key, last); r != nil {
			return orphan{r}, true
		}
	}
	return nil, false
}

// orphan is a resource whose differences are all that it is still there.
type orphan struct{ reconcile.Resource }

func (o orphan) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	ds := o.Resource.Compare(last, seen)
	for i := range ds {
		ds[i].Class = reconcile.Orphan
	}
	return ds
}

// Children lets a folder that purges keep what other documents want in it. It is
// called once, before the item is used.
func Children(it *reconcile.Item, paths []string) {
	if d, ok := it.Resource.(*files.Folder); ok && d.Purges() {
		d.Children(paths)
		it.Hash = site.Hash(d.Wants(), it.Common)
	}
}

// Purges reports whether the item is a folder that purges.
func Purges(it *reconcile.Item) bool {
	d, ok := it.Resource.(*files.Folder)
	return ok && d.Purges()
}
