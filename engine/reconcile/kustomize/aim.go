package kustomize

import (
	"regexp"
	"slices"

	"vigil/engine/document"
)

// seen is a document as patches may name it: by its kind, and by every name it
// has had on the way up.
type seen struct {
	kind  string
	names []string
}

// aim says of each patch that finds no document that it finds none. The library
// passes over a target that matches nothing, and a patch that was mistyped would
// be gone without a word. given is what a component is laid over.
func (p *planner) aim(n *node, given []seen) []seen {
	list := given
	for _, s := range n.sources {
		list = append(list, seen{s.doc.Kind, []string{s.doc.Name}})
	}
	for _, b := range n.bases {
		list = append(list, p.aim(b, nil)...)
	}
	for _, c := range n.components {
		list = p.aim(c, list)
	}
	for _, q := range n.patches {
		if q.target != nil {
			p.match(q, list)
			continue
		}
		if !slices.ContainsFunc(list, func(s seen) bool { return s.kind == q.kind && slices.Contains(s.names, q.name) }) {
			var near []string
			for _, s := range list {
				if s.kind == q.kind {
					near = append(near, s.names...)
				}
			}
			hint := "the patch has to name a document of this kustomization or of its bases"
			if d := document.Nearest(q.name, near); d != "" {
				hint = "did you mean " + q.kind + "/" + d + "?"
			}
			p.add(q.place, hint, "there is no %s/%s to patch", cut(q.kind), cut(q.name))
		}
	}
	if n.spec.NamePrefix+n.spec.NameSuffix != "" {
		for i := range list {
			names := list[i].names
			list[i].names = append(slices.Clip(names), n.spec.NamePrefix+names[len(names)-1]+n.spec.NameSuffix)
		}
	}
	return list
}

func (p *planner) match(q prepared, list []seen) {
	kind, err := regexp.Compile("^(?:" + q.target.Kind + ")$")
	name, err2 := regexp.Compile("^(?:" + q.target.Name + ")$")
	if err != nil || err2 != nil {
		p.add(q.place, "", "the target is no regular expression that can be used here")
		return
	}
	for _, s := range list {
		if (q.target.Kind == "" || kind.MatchString(s.kind)) && (q.target.Name == "" || slices.ContainsFunc(s.names, name.MatchString)) {
			return
		}
	}
	p.add(q.place, "the target's kind and name have to match a document of this kustomization or of its bases", "the patch changes nothing: no document is %s/%s", cut(or(q.target.Kind, "*")), cut(or(q.target.Name, "*")))
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
