package accept

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/manifest"
	"vigil/engine/reconcile/part"
	"vigil/engine/reconcile/sealed"
)

// part takes over a managed part of a file: a block, a line, a key.
func (a *acceptor) part(d reconcile.Difference) error {
	at := a.spec("path").Text()
	if sealedIn(a.doc.Spec, 0) {
		return fault.New(fault.Unprocessable, "%s is sealed, and what was found is not: it does not go into a commit in plain text", d.Field).At(a.doc.Place).
			Mend("seal it with age -a -r RECIPIENT and change the document by hand")
	}
	if reconcile.Mode(a.spec("mode").Text()) == reconcile.Absent {
		return a.left(d, "it is there and should not be; write a document that wants it")
	}
	if a.allGone() {
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"mode"}, Value: string(reconcile.Absent)})
		for _, x := range a.diffs {
			if err := a.accept(x); err != nil {
				return err
			}
		}
		a.diffs = nil
		return nil
	}
	format, text, _ := strings.Cut(d.Field, ":")
	switch {
	case a.diffs == nil:
		return nil // said already
	case format == "block":
		return a.block(d, at, text)
	case format == "line":
		i := slices.IndexFunc(a.spec("lines").Items(), func(n node) bool { return n.Text() == text })
		a.gone = append(a.gone, []string{"lines", strconv.Itoa(i)})
		return a.accept(d)
	}
	return a.key(d, at)
}

// allGone says that nothing of the part is in the file any more: then the document
// wants nothing of it.
func (a *acceptor) allGone() bool {
	want := 1 // a block
	switch {
	case !a.spec("lines").Absent():
		want = len(a.spec("lines").Items())
	case !a.spec("values").Absent():
		want = leaves(a.spec("values"))
	}
	gone := 0
	for _, d := range a.diffs {
		if strings.Contains(d.Field, ":") && d.Found == "" {
			gone++
		}
	}
	return gone == want
}

// leaves are the values below a mapping.
func leaves(n node) (out int) {
	if !n.IsMapping() || len(n.Keys()) == 0 {
		return 1
	}
	for _, v := range n.Pairs() {
		out += leaves(v)
	}
	return out
}

// block takes what stands between the markers.
func (a *acceptor) block(d reconcile.Difference, at, name string) error {
	file, err := a.content(at)
	if err != nil {
		return err
	}
	p, err := part.Block(name, cmp.Or(a.spec("comment").Text(), "#"), "")
	if err != nil {
		return err
	}
	text, found, err := p.Inside(file)
	if err != nil || !found {
		return fault.New(fault.Conflict, "%s of %s changes while it is looked at", d.Field, at).Mend("try again")
	}
	if src := a.spec("source"); !src.Absent() {
		a.out.Sources = append(a.out.Sources, Source{InTree: SourcePath(a.doc.Place, src.Text()), Path: at, Part: append([]byte{}, text...)})
		return a.accept(d)
	}
	if !manifest.Inline(text) || bytes.HasPrefix(bytes.TrimSpace(text), []byte(sealed.Header)) {
		return fault.New(fault.Unprocessable, "%s of %s holds bytes that are no text, or too many for a document", d.Field, at).At(a.doc.Place).Mend("put it into a file of the tree and name that as source")
	}
	a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"content"}, Value: string(text), From: at})
	return a.accept(d)
}

// key takes one value of a structured file.
func (a *acceptor) key(d reconcile.Difference, at string) error {
	format, path := part.Path(d.Field)
	if path == nil {
		return a.left(d, "it follows from the rest")
	}
	set := manifest.Set{Path: append([]string{"values"}, path...), From: at}
	if d.Found == "" {
		a.gone = append(a.gone, set.Path)
		return a.accept(d)
	}
	file, err := a.content(at)
	if err != nil {
		return err
	}
	p, _ := part.Old([]string{d.Field})
	seen, err := p.Read(file)
	if err != nil {
		return fault.Wrap(fault.Conflict, err, "%s: a part of it cannot be managed", at)
	}
	v, ok := part.Value(format, seen[d.Field])
	if !ok {
		return a.left(d, "no value of a document is written so")
	}
	switch v := v.(type) {
	case string:
		set.Value, set.Word = v, format == "ini" && (manifest.Number(v) || v == "true" || v == "false")
		if !manifest.Inline([]byte(v)) {
			return a.left(d, "it is no text that can stand in a document")
		}
	case map[string]any, []any:
		set.Whole = v
	case nil:
		set.Value, set.Word = "null", true
	default:
		set.Whole = v
	}
	a.out.Sets = append(a.out.Sets, set)
	return a.accept(d)
}

// removals takes out of the document what is gone: with a mapping that nothing is
// left of, and of lists the last ones first, so that the others keep their numbers.
func (a *acceptor) removals() {
	left := map[string]int{} // mapping -> what stands in it
	var count func(n node, at string)
	count = func(n node, at string) {
		left[at] = len(n.Keys())
		for k, v := range n.Pairs() {
			count(v, at+"\x00"+k)
		}
	}
	count(a.spec("values"), "values")
	slices.SortStableFunc(a.gone, func(x, y []string) int {
		if x[0] != "lines" || y[0] != "lines" {
			return 0
		}
		i, _ := strconv.Atoi(x[1])
		j, _ := strconv.Atoi(y[1])
		return j - i
	})
	for _, path := range a.gone {
		for path[0] == "values" && len(path) > 2 {
			above := strings.Join(path[:len(path)-1], "\x00")
			if left[above]--; left[above] > 0 {
				break
			}
			path = path[:len(path)-1]
		}
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: path, Op: manifest.Remove})
	}
}
