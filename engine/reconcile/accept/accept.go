// Package accept says how a document becomes true of what was found: which of its
// values change, what it says no more, and which files of the tree hold what a file
// of the machine holds.
//
// What a document of its kind cannot say is named and left. It refuses to put what
// is sealed into plain text. Pure, but for the bytes that it is given a function
// for; everything may be called concurrently.
package accept

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/manifest"
	"vigil/engine/reconcile/sealed"
)

// Acceptance is what would make a document say what was found.
type Acceptance struct {
	Sets    []manifest.Set
	Sources []Source // files of the tree that are to hold what a file holds
	Fields  []string // differences that are gone then
	Left    []string // differences that no document can say, with why
}

// Source is one file of the tree and where its bytes are on the machine.
type Source struct {
	InTree string
	Path   string
	Part   []byte // what of the file goes into the tree; nil all of it
}

// Accept says how a document becomes true of what was found. content gives the
// bytes of a file of the machine. Unprocessable: nothing of the differences can
// be said by a document of this kind.
func Accept(doc document.Document, diffs []reconcile.Difference, content func(path string) ([]byte, error)) (*Acceptance, error) {
	a := &acceptor{doc: doc, diffs: diffs, content: content}
	take := map[string]func(reconcile.Difference) error{
		"File": a.file, "Directory": a.directory, "Cron": a.cron,
		"Service": a.service, "Timer": a.timer, "Sysctl": a.sysctl, "Process": a.process,
	}[doc.Kind]
	if take == nil {
		return nil, fault.New(fault.Unprocessable, "what was found cannot be said by a document of kind %s", doc.Kind).At(doc.Place).Mend("change the document by hand")
	}
	for _, d := range diffs {
		if err := take(d); err != nil {
			return nil, err
		}
	}
	a.removals()
	if len(a.out.Fields) == 0 {
		return nil, fault.New(fault.Unprocessable, "no document can say what was found: %s", strings.Join(a.out.Left, "; ")).At(doc.Place)
	}
	return &a.out, nil
}

type acceptor struct {
	doc     document.Document
	diffs   []reconcile.Difference
	content func(path string) ([]byte, error)
	out     Acceptance

	gone [][]string // paths to what the document should not say any more
}

// accept is for a difference that sets end which are made elsewhere.
func (a *acceptor) accept(d reconcile.Difference) error {
	if !slices.Contains(a.out.Fields, d.Field) {
		a.out.Fields = append(a.out.Fields, d.Field)
	}
	return nil
}

func (a *acceptor) set(d reconcile.Difference, v string, word bool, path ...string) error {
	a.out.Sets = append(a.out.Sets, manifest.Set{Path: path, Value: v, Word: word})
	a.out.Fields = append(a.out.Fields, d.Field)
	return nil
}

func (a *acceptor) left(d reconcile.Difference, why string) error {
	a.out.Left = append(a.out.Left, d.Field+": "+why)
	return nil
}

func (a *acceptor) spec(key string) document.Node { return a.doc.Spec.Get(key) }

// bytes puts what a file holds into the text of a field, or into the source file
// that stands for it.
func (a *acceptor) bytes(d reconcile.Difference, at string, field ...string) error {
	if src := a.spec("source"); len(field) == 1 && !src.Absent() {
		a.out.Sources = append(a.out.Sources, Source{InTree: SourcePath(a.doc.Place, src.Text()), Path: at})
		a.out.Fields = append(a.out.Fields, d.Field)
		return nil
	}
	n := a.doc.Spec
	for _, f := range field {
		n = n.Get(f)
	}
	if !a.spec("secret").Absent() || n.IsMapping() || strings.HasPrefix(strings.TrimSpace(n.Text()), sealed.Header) {
		return fault.New(fault.Unprocessable, "%s is sealed, and what was found is not: it does not go into a commit in plain text", d.Field).At(a.doc.Place).
			Mend("seal it with age -a -r RECIPIENT and change the document by hand")
	}
	text, err := a.content(at)
	if err != nil {
		return err
	}
	if !manifest.Inline(text) {
		return fault.New(fault.Unprocessable, "%s holds bytes that are no text, or too many for a document", at).At(a.doc.Place).Mend("put it into a file of the tree and name that as source")
	}
	a.out.Sets = append(a.out.Sets, manifest.Set{Path: field, Value: string(text), From: at})
	return a.accept(d)
}

// SourcePath is a file of the tree as a document names it.
func SourcePath(place, name string) string {
	if strings.HasPrefix(name, "/") {
		return strings.TrimPrefix(path.Clean(name), "/")
	}
	file, _, _ := strings.Cut(place, ":")
	return path.Join(path.Dir(file), name)
}

func (a *acceptor) attribute(d reconcile.Difference) (is bool, err error) {
	if slices.Contains([]string{"permissions", "owner", "group"}, d.Field) {
		return true, a.set(d, d.Found, false, d.Field)
	}
	if d.Field != reconcile.Exists {
		return false, nil
	}
	switch {
	case d.Found == reconcile.No:
		return true, a.set(d, string(reconcile.Absent), false, "mode")
	case d.Found == reconcile.Yes:
		return true, a.left(d, "it is there and should not be; vigild adopt writes a new document")
	}
	return true, a.left(d, "a "+d.Found+" stands there, and the kind "+a.doc.Kind+" is not about those")
}

func (a *acceptor) file(d reconcile.Difference) error {
	if is, err := a.attribute(d); is {
		return err
	}
	if d.Field == "sha256" {
		return a.bytes(d, a.spec("path").Text(), "content")
	}
	return a.part(d)
}

// directory lets what nobody named stay.
func (a *acceptor) directory(d reconcile.Difference) error {
	if is, err := a.attribute(d); is {
		return err
	}
	name, entry := strings.CutPrefix(d.Field, "entry:")
	switch {
	case !entry:
		return a.left(d, "they are too many to be named: clear them away, raise maxPurge, or keep them by a pattern")
	case reconcile.Mode(a.spec("mode").Text()) == reconcile.Absent:
		return a.left(d, "the folder should be gone as a whole")
	case strings.Contains(name, "*"):
		return a.left(d, "under keep its name would be a pattern that others fit too")
	}
	a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"keep"}, Value: name, Op: manifest.Append})
	return a.accept(d)
}

func (a *acceptor) service(d reconcile.Difference) error {
	at := "/etc/systemd/system/" + reconcile.UnitName(cmp.Or(a.spec("unit").Text(), a.doc.Name))
	name, dropIn := strings.CutPrefix(d.Field, "dropin:")
	switch {
	case d.Field == "active":
		return a.set(d, map[bool]string{true: "running", false: "stopped"}[d.Found == reconcile.Yes], false, "state")
	case d.Field == "enabled" || d.Field == "masked":
		if d.Found != reconcile.Yes && d.Found != reconcile.No {
			return a.left(d, "the unit is "+d.Found+", which nobody switches")
		}
		return a.set(d, map[bool]string{true: "true", false: "false"}[d.Found == reconcile.Yes], true, d.Field)
	case (d.Field == "unitfile" || dropIn) && len(d.Found) != 64:
		return a.left(d, "the file is gone; take it out of the document by hand")
	case d.Field == "unitfile":
		return a.bytes(d, at, "file")
	case dropIn:
		return a.bytes(d, at+".d/"+name, "dropIns", name)
	}
	return a.left(d, "it follows from the rest")
}

func (a *acceptor) sysctl(d reconcile.Difference) error {
	switch {
	case d.Field == "running":
		v := strings.Join(strings.Fields(d.Found), " ")
		return a.set(d, v, manifest.Number(v), "value")
	case d.Field == reconcile.Exists:
		return a.left(d, "the kernel has no parameter of this name")
	}
	return a.left(d, "it follows from the value")
}

func (a *acceptor) process(d reconcile.Difference) error {
	if d.Field == "running" {
		return a.set(d, map[bool]string{true: "running", false: "stopped"}[d.Found == reconcile.Yes], false, "state")
	}
	return a.left(d, "it follows from the rest")
}

// Sealed reports whether a document holds anything that is sealed, so that what
// it wants must not be shown.
func Sealed(doc document.Document) bool { return sealedIn(doc.Spec, 0) }

func sealedIn(n document.Node, depth int) bool {
	if depth > document.MaxDepth {
		return true
	}
	for key, v := range n.Pairs() {
		if key == "secret" || key == "age" || sealedIn(v, depth+1) {
			return true
		}
	}
	for _, item := range n.Items() {
		if sealedIn(item, depth+1) {
			return true
		}
	}
	return strings.HasPrefix(strings.TrimSpace(n.Text()), sealed.Header)
}
