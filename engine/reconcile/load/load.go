// Package load turns the files of one revision, or of a plain folder, into a
// reconcile.Set: everything that they want of this host.
//
// The files are chosen by vigil.yaml at the root (roots, environments, signers)
// and by hosts/<hostname>/; a folder without vigil.yaml is read whole. Folders
// named files and names that begin with a dot hold no documents.
//
// It refuses: I/O (the tree is given, nothing is fetched or executed), kinds and
// paths that the local config does not list, and two documents for one thing.
// Invariants: all or nothing, and every issue at once with file:line:column; the
// same files give the same set in the same order. Starts nothing.
package load

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/sealed"
)

// Host is what documents are chosen by.
type Host struct {
	Name   string
	Labels map[string]string
}

// Deps is what loading needs beside the files. All may be nil.
type Deps struct {
	Box *sealed.Box
	// Render turns a folder with a kustomization into documents; without it such a
	// folder is an issue.
	Render Renderer
	// Validate looks further into the documents that belong to vigild itself.
	Validate func([]document.Document) fault.Issues
	// Health says why what a document calls health cannot be asked for.
	Health func(reconcile.Health) error
}

// Bounds of one revision.
const (
	MaxDocuments = 50_000
	maxIssues    = 1000
)

// Load reads everything. Beside issues the set is nil. Linear in the bytes; the
// files' bytes are not kept. It does not block, but takes its time: about 60 µs a
// document.
func Load(files []File, host Host, trust reconcile.Trust, d Deps) (*reconcile.Set, fault.Issues) {
	l := &loader{host: host, trust: trust, deps: d, Tree: NewTree(files),
		refs: map[string]int{}, claims: map[string]string{}, parts: map[string]string{}}
	l.set = &reconcile.Set{}
	layers := l.choose()
	l.lost = len(l.issues) > 0 // other folders may be meant
	l.kustomizations(layers)
	for i, folders := range layers {
		for _, f := range folders {
			l.folder(i, f)
		}
	}
	if l.deps.Validate != nil && len(l.owned) > 0 {
		l.issues = append(l.issues, l.deps.Validate(l.owned)...)
	}
	l.settle()
	var unread func(string) bool
	if len(l.issues) > 0 {
		unread = l.unread
	}
	l.issues = append(l.issues, reconcile.Order(l.set.Items, unread)...)
	if len(l.issues) > 0 {
		l.issues = l.issues.InOrder()
		if n := len(l.issues); n > maxIssues {
			l.issues = append(l.issues[:maxIssues:maxIssues], fault.Issue{Msg: fmt.Sprintf("and %d more", n-maxIssues)})
		}
		return nil, l.issues
	}
	return l.set, nil
}

type loader struct {
	host  Host
	trust reconcile.Trust
	deps  Deps
	Tree
	set    *reconcile.Set
	found  []found
	owned  []document.Document // of vigild itself, as they come
	refs   map[string]int      // Kind/name -> index in found
	lost   bool                // there are documents of which not even the name was read
	issues fault.Issues

	tops    map[string]bool // folders with a kustomization that are rendered on their own
	reached map[string]bool // folders that these hold
	charts  map[string]bool // folders with a chart, each told of once

	claims map[string]string // thing -> place
	parts  map[string]string // path -> place of the first document about a part of it
}

// found is one document before it counts: one of a later layer may replace it.
type found struct {
	layer int
	ref   string
	place string
	item  *reconcile.Item
	own   *document.Document
}

// unread says whether there may be a document about the machine of this name that
// could not be read.
func (l *loader) unread(ref string) bool {
	i, is := l.refs[ref]
	return l.lost || is && l.found[i].own == nil
}

func (l *loader) full() bool { return len(l.issues) > 2*maxIssues }

// folder reads all documents below one folder.
func (l *loader) folder(layer int, root chosen) {
	l.set.Read = append(l.set.Read, path.Join("/", root.dir))
	done := map[string]bool{}
	for i := range l.files {
		f := &l.files[i]
		if l.full() {
			l.lost = true
			return
		}
		if !root.has(f.Path) || !readable(f.Path) || f.Path == rootFile {
			continue
		}
		if dir, ok := l.kustomized(root, f.Path); ok {
			if !l.held(root, path.Join(dir, "x")) && !done[dir] {
				done[dir] = true
				l.render(layer, dir)
			}
			continue
		}
		if !l.held(root, f.Path) && !l.chart(f.Path) {
			l.file(layer, f.Path, f.Data)
		}
	}
}

func isDocument(p string) bool {
	switch path.Ext(p) {
	case ".yaml", ".yml", ".json":
	default:
		return false
	}
	for _, s := range strings.Split(p, "/") {
		if strings.HasPrefix(s, ".") {
			return false
		}
	}
	return !strings.Contains("/"+path.Dir(p)+"/", "/files/")
}

// file reads the documents of one file.
func (l *loader) file(layer int, name string, data []byte) {
	docs, is := document.Parse(name, data, document.Git)
	l.issues, l.lost = append(l.issues, is...), l.lost || len(is) > 0
	for _, d := range docs {
		if len(l.found) >= MaxDocuments {
			l.many(name)
			return
		}
		l.document(layer, d, "")
	}
}

func (l *loader) many(place string) {
	l.issues.Add(place, "more than %d documents in one revision", MaxDocuments)
	l.lost = true
}

// document takes one document; by is the kustomization that it came through.
func (l *loader) document(layer int, d document.Document, by string) {
	f := found{layer: layer, ref: d.Kind + "/" + d.Name, place: d.Place}
	if by != "" && !strings.HasPrefix(d.Place, by) {
		f.place += " through " + by
	}
	switch {
	case d.Kind == "Action" && !l.trust.Actions:
		l.issues = append(l.issues, fault.Issue{Place: d.Place, Msg: f.ref + " defines an action of the catalogue, and documents are not trusted with that here",
			Hint: "the local config allows that with git.trust_actions = true, signed commits and Action among git.kinds"})
	case slices.Contains(kind.Names(), d.Kind) && !slices.Contains(l.trust.Kinds, d.Kind):
		l.issues = append(l.issues, fault.Issue{Place: d.Place, Msg: "documents of kind " + d.Kind + " are not taken on this host", Hint: "the local config lists the kinds in git.kinds"})
	case slices.Contains(kind.Owned(), d.Kind):
		l.owned = append(l.owned, d)
		f.own = &d
	default:
		item, is := kind.Read(d, kind.Deps{Trust: l.trust, Box: l.deps.Box, Source: l.Source})
		l.issues = append(l.issues, is...)
		f.item = item
		l.lost = l.lost || !slices.Contains(kind.Names(), d.Kind)
	}
	if i, ok := l.refs[f.ref]; ok {
		if old := l.found[i]; old.layer < layer {
			l.found[i] = f // an overlay replaces the document as a whole
			return
		} else if old.layer == layer {
			l.issues = append(l.issues, fault.Issue{Place: f.place, Msg: f.ref + " stands at " + old.place + " too", Hint: l.twice(by)})
		}
		return
	}
	l.refs[f.ref] = len(l.found)
	l.found = append(l.found, f)
}

// settle takes what was found into the set: one document for one thing.
func (l *loader) settle() {
	var purging []*reconcile.Item
	var paths []string
	for _, f := range l.found {
		switch {
		case f.own != nil:
			l.set.Documents = append(l.set.Documents, *f.own)
		case f.item != nil:
			l.set.Items = append(l.set.Items, f.item)
			if h := f.item.Health; h != nil && l.deps.Health != nil {
				if err := l.deps.Health(*h); err != nil {
					l.issues.Add(f.item.Place, "health: %v", err)
				}
			}
			for _, c := range f.item.Claims {
				l.claim(c, f.place)
				if p, ok := strings.CutPrefix(c, "file:"); ok {
					p, _, _ = strings.Cut(p, "#")
					paths = append(paths, p)
				}
			}
			if kind.Purges(f.item) {
				purging = append(purging, f.item)
			}
		}
	}
	slices.Sort(paths)
	for _, it := range purging {
		kind.Children(it, slices.Compact(slices.Clone(paths)))
	}
}

// claim refuses a thing that another document speaks of: the same thing, a part
// of a file beside the whole of it, or the same part.
func (l *loader) claim(thing, place string) {
	whole, _, part := strings.Cut(thing, "#")
	other, taken := l.claims[thing]
	if !taken && part {
		other, taken = l.claims[whole]
	} else if !taken {
		other, taken = l.parts[whole]
	}
	if taken {
		name := strings.TrimPrefix(strings.Replace(thing, "#", " ", 1), "file:")
		l.issues = append(l.issues, fault.Issue{Place: place, Msg: "the document at " + other + " speaks of " + name + " too", Hint: "one thing has one document"})
		return
	}
	l.claims[thing] = place
	if part {
		l.parts[whole] = place
	}
}
