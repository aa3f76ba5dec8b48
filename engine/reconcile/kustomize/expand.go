package kustomize

import (
	"cmp"
	"maps"
	"slices"

	"vigil/engine/document"
)

// instance is one document on its way to the top. A base that is reached twice
// gives two of each of its documents.
type instance struct {
	from  *source
	names []string // every name it has had, the last one it has
	steps []step
}

// step is a kustomization that an instance comes through and that may change it.
type step struct {
	node    *node
	patches []int // of the node, those that may be for it
}

func (i *instance) kind() string { return i.from.doc.Kind }
func (i *instance) name() string { return i.names[len(i.names)-1] }

func (i *instance) patched() bool {
	return slices.ContainsFunc(i.steps, func(s step) bool { return len(s.patches) > 0 })
}

// labels are those of the text and of every step: all there is to do for an
// instance that no patch is for.
func (i *instance) labels() map[string]string {
	out := maps.Clone(i.from.doc.Labels)
	for _, s := range i.steps {
		for _, pairs := range s.node.pairs() {
			if out == nil {
				out = map[string]string{}
			}
			maps.Copy(out, pairs)
		}
	}
	return out
}

func (n *node) pairs() (out []map[string]string) {
	for _, l := range n.spec.Labels {
		out = append(out, l.Pairs)
	}
	return append(out, n.spec.CommonLabels)
}

// expand lists what comes out of a kustomization, in the order of its resources;
// given is what a component is laid over. A patch that finds no document is an
// issue: the library passes over a target that matches nothing, and a patch that
// was mistyped would be gone without a word.
func (p *planner) expand(n *node, given []*instance) []*instance {
	list := given
	for _, it := range n.items {
		if it.base != nil {
			list = append(list, p.expand(it.base, nil)...)
			continue
		}
		list = append(list, &instance{from: it.source, names: []string{it.source.doc.Name}})
	}
	for _, c := range n.components {
		list = p.expand(c, list)
	}
	found := make(map[*instance][]int)
	p.named(n, list, found)
	for at, q := range n.patches {
		if q.target != nil {
			p.aimed(at, q, list, found)
		}
	}
	affix := n.spec.NamePrefix + n.spec.NameSuffix
	labels := len(n.spec.Labels) + len(n.spec.CommonLabels)
	for _, i := range list {
		if patches := found[i]; len(patches) > 0 || affix != "" || labels > 0 {
			slices.Sort(patches)
			i.steps = append(i.steps, step{n, patches})
		}
		if affix != "" {
			i.names = append(i.names, n.spec.NamePrefix+i.name()+n.spec.NameSuffix)
		}
	}
	return list
}

// named finds the one document for each patch that names it.
func (p *planner) named(n *node, list []*instance, found map[*instance][]int) {
	if !slices.ContainsFunc(n.patches, func(q prepared) bool { return q.target == nil }) {
		return
	}
	refs := make(map[string][]*instance, len(list))
	for _, i := range list {
		for k, name := range i.names {
			if ref := i.kind() + "/" + name; !slices.Contains(i.names[:k], name) {
				refs[ref] = append(refs[ref], i)
			}
		}
	}
	for at, q := range n.patches {
		ref := q.kind + "/" + q.name
		switch is := refs[ref]; {
		case q.target != nil:
		case len(is) == 1:
			found[is[0]] = append(found[is[0]], at)
		case len(is) > 1:
			p.add(q.place, "write the name with its prefix, or give the patch a target", "%s is the name of %d documents here", cut(ref), len(is))
		default:
			var near []string
			for _, i := range list[:min(len(list), 1000)] {
				if i.kind() == q.kind {
					near = append(near, i.names...)
				}
			}
			hint := "the patch has to name a document of this kustomization or of its bases"
			if d := document.Nearest(q.name, near); d != "" {
				hint = "did you mean " + q.kind + "/" + d + "?"
			}
			p.add(q.place, hint, "there is no %s to patch", cut(ref))
		}
	}
}

// aimed finds the documents of a target by kind and name; labels are left to the
// library, since a patch may have changed them.
func (p *planner) aimed(at int, q prepared, list []*instance, found map[*instance][]int) {
	p.pairs += len(list)
	p.steps += q.target.steps(list)
	if p.pairs > maxPairs || p.steps > maxSteps {
		if !p.over {
			p.over = true
			p.add(q.place, "fewer patches, plainer expressions, or patches that name their document", "too many targets for %d documents", len(list))
		}
		return
	}
	kind, err := whole(q.target.Kind)
	name, err2 := whole(q.target.Name)
	if err != nil || err2 != nil {
		p.add(q.place, "", "the target is no regular expression that can be used here")
		return
	}
	some := false
	for _, i := range list {
		if (kind == nil || kind.MatchString(i.kind())) && (name == nil || slices.ContainsFunc(i.names, name.MatchString)) {
			found[i] = append(found[i], at)
			some = true
		}
	}
	if !some {
		p.add(q.place, "the target's kind and name have to match a document of this kustomization or of its bases", "the patch changes nothing: no document is %s/%s", cut(cmp.Or(q.target.Kind, "*")), cut(cmp.Or(q.target.Name, "*")))
	}
}
