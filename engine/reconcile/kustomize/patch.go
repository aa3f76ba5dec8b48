package kustomize

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/reconcile/kustomize/value"
)

// prepared is one patch as the library gets it.
type prepared struct {
	place  string
	merge  map[string]any   // a document to merge, or
	ops    []map[string]any // operations
	size   int64            // what it costs the library
	target *target
	kind   string // of a patch without a target: the document it names
	name   string
}

// prepare reads the patches of one kustomization, the old ways to write them
// included.
func (p *planner) prepare(n *node) {
	for i, q := range n.spec.Patches {
		p.patch(n, "patches", i, q)
	}
	for i, q := range n.spec.JSONPatches {
		p.patch(n, "patchesJson6902", i, q)
	}
	for i, m := range n.spec.Merges {
		if strings.Contains(m, "\n") || strings.Contains(m, ": ") {
			p.patch(n, "patchesStrategicMerge", i, patch{Patch: m})
		} else {
			p.patch(n, "patchesStrategicMerge", i, patch{Path: m})
		}
	}
}

func (p *planner) patch(n *node, field string, i int, q patch) {
	place := n.root.Place(field, fmt.Sprint(i))
	if (q.Path == "") == (q.Patch == "") {
		p.add(place, "", "a patch has one of path and patch")
		return
	}
	t := q.Target
	if t != nil && !p.target(place, t) {
		return
	}
	name, text := place+" patch", []byte(q.Patch)
	dir := n.dir
	if q.Path != "" {
		found, is := p.locate(n, place, q.Path)
		if is == folder {
			p.add(place, "name a file in it", "a patch is a file, and %s is a folder", found)
		}
		if is != single {
			return
		}
		name, dir = found, path.Dir(found)
		text, _ = p.tree.Source(found)
	}
	trees, issues := document.Trees(name, text)
	for _, x := range issues {
		p.add(x.Place, x.Hint, "%s", x.Msg)
	}
	if len(trees) == 0 && len(issues) == 0 {
		p.add(name, "", "the patch is empty")
	}
	if t != nil && len(trees) > 1 {
		p.add(name, "write one entry for each", "%d patches share one target", len(trees))
		return
	}
	for _, root := range trees {
		switch {
		case root.IsMapping():
			p.merge(n, root, dir, t)
		case root.IsSequence() && t == nil:
			p.add(place, "add target: {kind: ..., name: ...}", "a patch of operations needs a target")
		case root.IsSequence():
			p.operations(n, root, dir, t)
		default:
			p.add(root.Place(), "", "a patch is a document to merge, or a list of operations")
		}
	}
}

// merge takes a patch that looks like the document.
func (p *planner) merge(n *node, root document.Node, dir string, t *target) {
	before := len(p.issues)
	kind, name := root.Get("kind").Text(), root.Get("metadata").Get("name").Text()
	if t == nil {
		if kind == "" || name == "" {
			p.add(root.Place(), "or give the patch a target", "a patch names the document that it changes: kind and metadata.name")
		}
	}
	if v := root.Get("apiVersion").Text(); v != document.Version && (t == nil || !root.Get("apiVersion").Absent()) {
		p.add(root.Place("apiVersion"), "write apiVersion: "+document.Version, "a patch is for documents of vigild")
	}
	for _, k := range root.Keys() {
		switch k {
		case "apiVersion", "kind", "metadata", "spec":
		case "$patch":
			if root.Get(k).Text() != "delete" {
				p.add(root.Place(k), "", "the whole document can be patched or deleted ($patch: delete), not replaced")
			}
		default:
			p.add(root.Place(k), "", "%q is no part of a document", cut(k))
		}
	}
	meta := root.Get("metadata")
	if !meta.Absent() && !meta.IsMapping() {
		p.add(root.Place("metadata"), "", "metadata must be a mapping")
	}
	for _, k := range meta.Keys() {
		if k != "name" && k != "labels" {
			p.add(meta.Place(k), "a document has a name and labels", "%q cannot be patched", cut(k))
		}
	}
	p.directives(root)
	v, issues := value.Patch(root, dir, t != nil, kind)
	for _, x := range issues {
		p.add(x.Place, x.Hint, "%s", x.Msg)
	}
	if len(p.issues) == before {
		n.patches = append(n.patches, prepared{place: root.Place(), merge: v, size: value.Size(v), target: t, kind: kind, name: name})
	}
}

// directives refuses the words of merging that say more than replace and delete.
func (p *planner) directives(n document.Node) {
	for k, v := range n.Pairs() {
		if strings.HasPrefix(k, "$") && k != "$patch" {
			p.add(n.Place(k), "write the list whole", "%s is not understood here", cut(k))
		}
		p.directives(v)
	}
	for _, c := range n.Items() {
		p.directives(c)
	}
}

// operation is one step of RFC 6902.
type operation struct {
	Op    string        `yaml:"op"`
	Path  string        `yaml:"path"`
	From  string        `yaml:"from"`
	Value document.Node `yaml:"value"`
}

// operations takes a list of RFC 6902 operations. They reach the spec and the
// labels alone; copy is refused, since thirty of them make a gigabyte of a byte.
func (p *planner) operations(n *node, root document.Node, dir string, t *target) {
	before := len(p.issues)
	var ops []operation
	for _, x := range root.Decode(&ops) {
		p.add(x.Place, x.Hint, "%s", x.Msg)
	}
	inside := func(ptr string) bool {
		return strings.HasPrefix(ptr, "/spec/") || ptr == "/metadata/labels" || strings.HasPrefix(ptr, "/metadata/labels/")
	}
	for i, o := range ops {
		at := root.Place(fmt.Sprint(i))
		switch {
		case o.Op == "copy":
			p.add(at, "write the value out", "copy is not taken: it has no bound")
		case !slices.Contains([]string{"add", "remove", "replace", "move", "test"}, o.Op):
			p.add(at, "add, remove, replace, move or test", "op %q is not known", cut(o.Op))
		case !inside(o.Path) || o.Op == "move" && !inside(o.From):
			p.add(at, "such as /spec/content or /metadata/labels/team", "an operation reaches the spec and the labels of a document alone")
		case o.Value.Absent() && o.Op != "remove" && o.Op != "move":
			p.add(at, "", "%s needs a value", o.Op)
		}
	}
	v, issues := value.Ops(root, dir)
	for _, x := range issues {
		p.add(x.Place, x.Hint, "%s", x.Msg)
	}
	if len(p.issues) == before {
		n.patches = append(n.patches, prepared{place: root.Place(), ops: v, size: value.Size(v), target: t})
	}
}
