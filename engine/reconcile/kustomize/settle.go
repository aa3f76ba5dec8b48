package kustomize

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"vigil/engine/document"
	"vigil/engine/fault"
)

const originKey = "config.kubernetes.io/origin"

var originFile = regexp.MustCompile(`\bd(\d+)\.json`)

// rendered is one document on its way out.
type rendered struct {
	made
	from *source
}

// settle makes documents of ours again, and lets references follow the names.
func (p *planner) settle(root *node, all []made) ([]document.Document, fault.Issues) {
	list := make([]rendered, 0, len(all))
	for _, m := range all {
		i := -1
		if found := originFile.FindStringSubmatch(m.Metadata.Annotations[originKey]); found != nil {
			i, _ = strconv.Atoi(found[1])
		}
		if i < 0 || i >= len(p.sources) {
			p.add(root.file, "", "%s/%s comes out of nowhere", m.Kind, m.Metadata.Name)
			continue
		}
		list = append(list, rendered{m, p.sources[i]})
	}
	refs := references(list)
	docs := make([]document.Document, 0, len(list))
	for _, r := range list {
		d := p.document(root, r)
		if renamed := d.Name != r.from.doc.Name; renamed {
			p.identity(root, r, d)
		}
		p.follow(refs, r, &d)
		docs = append(docs, d)
	}
	if len(p.issues) > 0 {
		return nil, p.issues
	}
	return docs, nil
}

// document keeps the text of one that no patch changed, and with it the places of
// its values; a changed one has one place, which names what it is made of.
func (p *planner) document(root *node, r rendered) document.Document {
	d := r.from.doc
	d.Name, d.Labels = r.Metadata.Name, r.Metadata.Labels
	if len(d.Name) > 255 {
		p.add(root.file, "", "with its prefixes the name of %s/%s is longer than 255 bytes", d.Kind, cut(r.from.doc.Name))
	}
	if bytes.Equal(r.Spec, r.from.json) {
		return d
	}
	file, _, _ := strings.Cut(r.from.doc.Place, ":")
	d.Place = fmt.Sprintf("%s (%s/%s of %s)", root.file, d.Kind, d.Name, file)
	if len(r.Spec) == 0 {
		p.add(d.Place, "", "the patches left no spec")
		return d
	}
	spec, issues := document.ParseJSON(d.Place, r.Spec)
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
func (p *planner) identity(root *node, r rendered, d document.Document) {
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
		was, is := r.Kind+"/"+r.from.doc.Name, r.Kind+"/"+r.Metadata.Name
		refs[was] = append(refs[was], r)
		if is != was {
			refs[is] = append(refs[is], r)
		}
	}
	return refs
}

// follow lets dependsOn and the check of health follow prefixes and suffixes.
func (p *planner) follow(refs map[string][]rendered, r rendered, d *document.Document) {
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
		if name, ok := p.now(refs, r, *d, kinds[i]+n.Value); ok {
			fresh[n] = strings.TrimPrefix(name, kinds[i])
		}
	}
	if len(fresh) > 0 { // a base that is reached twice has its text twice
		d.Spec.YAML = renamed(d.Spec.YAML, fresh)
	}
}

// now is what a reference of one document has to say: that of the same base
// first, then whoever has the name, then the only one that had it.
func (p *planner) now(refs map[string][]rendered, r rendered, d document.Document, ref string) (string, bool) {
	found := refs[ref]
	before, after, _ := strings.Cut(r.Metadata.Name, r.from.doc.Name)
	was := slices.DeleteFunc(slices.Clone(found), func(f rendered) bool { return f.Kind+"/"+f.from.doc.Name != ref })
	for _, f := range was {
		if f.Metadata.Name == before+f.from.doc.Name+after {
			return f.Kind + "/" + f.Metadata.Name, f.Metadata.Name != f.from.doc.Name
		}
	}
	switch {
	case len(was) < len(found) || len(was) == 0:
		return "", false
	case len(was) > 1:
		p.add(d.Place, "write the name with its prefix", "%s is now the name of %d documents", cut(ref), len(was))
		return "", false
	}
	return was[0].Kind + "/" + was[0].Metadata.Name, true
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
