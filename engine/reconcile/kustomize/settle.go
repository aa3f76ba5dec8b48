package kustomize

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile/kustomize/value"
)

// rendered is one document on its way out.
type rendered struct {
	from *source
	doc  document.Document
}

func (r rendered) was() string { return r.doc.Kind + "/" + r.from.doc.Name }
func (r rendered) is() string  { return r.doc.Kind + "/" + r.doc.Name }

// settle makes documents of ours again, and lets references follow the names.
func (p *planner) settle(root *node, list []*instance, patched map[int]made) ([]document.Document, fault.Issues) {
	out := make([]rendered, 0, len(list))
	for at, i := range list {
		m, ok := patched[at]
		switch {
		case ok:
		case i.patched(): // deleted by a patch
			continue
		default:
			m.Metadata.Labels = i.labels()
		}
		out = append(out, rendered{i.from, p.document(root, i, m, ok)})
	}
	refs := references(out)
	docs := make([]document.Document, 0, len(out))
	first := make(map[string]string, len(out))
	for _, r := range out {
		if place, ok := first[r.is()]; ok {
			p.add(r.doc.Place, "one of the two has to go, or one of the bases needs a namePrefix", "%s comes out of %s twice; it stands at %s too", cut(r.is()), root.file, place)
		}
		first[r.is()] = r.doc.Place
		if r.is() != r.was() {
			p.identity(root, r)
		}
		p.follow(refs, &r)
		docs = append(docs, r.doc)
	}
	if len(p.issues) > 0 {
		return nil, p.issues
	}
	return docs, nil
}

// document keeps the text of one that no patch changed, and with it the places of
// its values; a changed one has one place, which names what it is made of.
func (p *planner) document(root *node, i *instance, m made, patched bool) document.Document {
	from := i.from
	d := from.doc
	d.Name, d.Labels = i.name(), m.Metadata.Labels
	if len(d.Name) > 255 {
		p.add(root.file, "", "with its prefixes the name of %s/%s is longer than 255 bytes", d.Kind, cut(from.doc.Name))
	}
	if !patched {
		return d
	}
	text := value.Encode(m.Spec)
	if bytes.Equal(text, from.json) {
		return d
	}
	file, _, _ := strings.Cut(from.doc.Place, ":")
	d.Place = fmt.Sprintf("%s (%s/%s of %s)", root.file, d.Kind, d.Name, file)
	if m.Spec == nil {
		p.add(d.Place, "", "the patches left no spec")
		return d
	}
	spec, issues := document.ParseJSON(d.Place, text)
	for _, i := range issues {
		p.add(d.Place, i.Hint, "%s", i.Msg)
	}
	unplaced(spec.YAML)
	d.Spec = spec
	return d
}

// unplaced takes away lines and columns that nobody can look up.
func unplaced(n *yaml.Node) {
	if n == nil {
		return
	}
	n.Line, n.Column = 0, 0
	for _, c := range n.Content {
		unplaced(c)
	}
}

// identity refuses a new name for what is known by its name in the world.
func (p *planner) identity(root *node, r rendered) {
	d := r.doc
	field := map[string]string{"Service": "unit", "Process": "process", "Timer": "timer"}[d.Kind]
	if field != "" && d.Spec.Get(field).Absent() {
		p.add(r.from.doc.Place, "write spec."+field+": "+r.from.doc.Name, "%s gives %s/%s another name, and without spec.%s it would be another %s", root.file, d.Kind, cut(r.from.doc.Name), field, field)
	}
}

// references finds documents by the names they had when they were written and by
// those they have now, as Kind/name.
func references(list []rendered) map[string][]rendered {
	refs := make(map[string][]rendered, len(list))
	for _, r := range list {
		refs[r.was()] = append(refs[r.was()], r)
		if r.is() != r.was() {
			refs[r.is()] = append(refs[r.is()], r)
		}
	}
	return refs
}

// follow lets dependsOn and the check of health follow prefixes and suffixes.
func (p *planner) follow(refs map[string][]rendered, r *rendered) {
	d := &r.doc
	var at []*yaml.Node
	var kinds []string
	for _, n := range d.Spec.Get("dependsOn").Items() {
		at, kinds = append(at, n.YAML), append(kinds, "")
	}
	if c := d.Spec.Get("health").Get("check"); c.IsScalar() {
		at, kinds = append(at, c.YAML), append(kinds, "Check/")
	}
	if !slices.ContainsFunc(at, func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode }) {
		return
	}
	fresh := map[*yaml.Node]string{}
	for i, n := range at {
		if name, ok := p.now(refs, *r, kinds[i]+n.Value); ok {
			fresh[n] = strings.TrimPrefix(name, kinds[i])
		}
	}
	if len(fresh) > 0 { // a base that is reached twice has its text twice
		d.Spec.YAML = renamed(d.Spec.YAML, fresh)
	}
}

// now is what a reference of one document has to say: that of the same base
// first, then whoever has the name, then the only one that had it.
func (p *planner) now(refs map[string][]rendered, r rendered, ref string) (string, bool) {
	found := refs[ref]
	before, after, _ := strings.Cut(r.doc.Name, r.from.doc.Name)
	was := slices.DeleteFunc(slices.Clone(found), func(f rendered) bool { return f.was() != ref })
	for _, f := range was {
		if f.doc.Name == before+f.from.doc.Name+after {
			return f.is(), f.is() != f.was()
		}
	}
	switch {
	case len(was) < len(found) || len(was) == 0:
		return "", false
	case len(was) > 1:
		p.add(r.doc.Place, "write the name with its prefix", "%s is now the name of %d documents", cut(ref), len(was))
		return "", false
	}
	return was[0].is(), true
}

// renamed is a copy of a tree in which some scalars have another text.
func renamed(n *yaml.Node, fresh map[*yaml.Node]string) *yaml.Node {
	c := *n
	if text, ok := fresh[n]; ok {
		c.Value = text
		return &c
	}
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, x := range n.Content {
		c.Content[i] = renamed(x, fresh)
	}
	return &c
}
