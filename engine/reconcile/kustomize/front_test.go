package kustomize

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile/kustomize/value"
	"vigil/engine/reconcile/load"
)

// ticket is the annotation by which a document is known again behind the front door.
const ticket = "vigil/at"

// front is build through the library's front door: the batch as a tree of
// kustomizations of our making, rendered whole.
func (b *batch) front(into map[int]made) error {
	tokens := value.New()
	fs := filesys.MakeFsInMemory()
	top := len(b.list[0].steps) - 1
	for level := range top + 1 {
		if err := fs.WriteFile(fmt.Sprintf("/k%d/kustomization.yaml", level), b.rewritten(level, tokens)); err != nil {
			return err
		}
	}
	for k, i := range b.list {
		spec, err := tokens.Hidden(i.from.json)
		if err != nil {
			return err
		}
		text := value.Encode(map[string]any{"apiVersion": document.Version, "kind": i.kind(), "spec": spec,
			"metadata": map[string]any{"name": i.from.doc.Name, "labels": i.from.doc.Labels, "annotations": map[string]string{ticket: strconv.Itoa(k)}}})
		if err := fs.WriteFile(fmt.Sprintf("/k0/d%d.json", k), text); err != nil {
			return err
		}
	}
	library.Lock()
	defer library.Unlock()
	openapi.SuppressBuiltInSchemaUse()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	options.PluginConfig = types.DisabledPluginConfig()
	m, err := krusty.MakeKustomizer(options).Run(fs, fmt.Sprintf("/k%d", top))
	if err != nil {
		return err
	}
	for _, r := range m.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return err
		}
		var o outcome
		if err := json.Unmarshal(text, &o.m); err != nil {
			return err
		}
		d, err := o.shown(tokens)
		if err != nil {
			return err
		}
		k, err := strconv.Atoi(r.GetAnnotations()[ticket])
		if err != nil {
			return err
		}
		if r.GetName() != b.list[k].name() {
			return fmt.Errorf("%s is called %s", b.list[k].name(), r.GetName())
		}
		into[b.of[k]] = d
	}
	return nil
}

// rewritten is one level of a batch as a kustomization.
func (b *batch) rewritten(level int, tokens *value.Tokens) []byte {
	n := b.list[0].steps[level].node
	var resources []string
	if level > 0 {
		resources = []string{fmt.Sprintf("../k%d", level-1)}
	} else {
		for k := range b.list {
			resources = append(resources, fmt.Sprintf("d%d.json", k))
		}
	}
	var patches []map[string]any
	for _, at := range b.patches(level) {
		q := n.patches[at]
		t := q.target
		if t == nil { // what it names may be in another batch
			t = &target{Kind: regexp.QuoteMeta(q.kind), Name: regexp.QuoteMeta(q.name)}
		}
		patches = append(patches, map[string]any{"patch": string(tokens.Patch(q.merge, q.ops)), "target": t})
	}
	var labels []map[string]any
	for _, pairs := range n.pairs() {
		if len(pairs) > 0 {
			labels = append(labels, map[string]any{"pairs": pairs})
		}
	}
	return value.Encode(map[string]any{"apiVersion": version, "kind": "Kustomization", "resources": resources, "patches": patches, "labels": labels,
		"namePrefix": n.spec.NamePrefix, "nameSuffix": n.spec.NameSuffix})
}

// renderByTheFront is Render through the front door.
func renderByTheFront(t load.Tree, folder string) ([]document.Document, fault.Issues, error) {
	p := planner{tree: t, byDir: map[string]*node{}}
	root := p.visit(folder, "", 1, false)
	if root != nil && len(p.issues) == 0 {
		p.measure(root)
	}
	if len(p.issues) > 0 {
		return nil, p.issues, nil
	}
	list := p.expand(root, nil)
	patched := map[int]made{}
	for _, b := range p.batches(root, list) {
		if err := b.front(patched); err != nil {
			return nil, nil, err
		}
	}
	if len(p.issues) > 0 {
		return nil, p.issues, nil
	}
	docs, is := p.settle(root, list, patched)
	return docs, is, nil
}

// drawTree is bases under overlays under a top, with prefixes, suffixes, labels, a
// component, and patches of every sort, some of which find nothing to change or
// fail.
func drawTree(t *rapid.T) load.Tree {
	kinds := map[string]string{"a": "File", "b": "Service", "c.d": "File", "e": "Policy"}
	name := rapid.SampledFrom([]string{"a", "b", "c.d"})
	text := rapid.SampledFrom([]string{"x", "0644", "yes", "null", "1e3", "a\nb", "é"})
	yes := func(what string) bool { return rapid.IntRange(0, 2).Draw(t, what) == 0 }
	spec := func() map[string]any {
		m := map[string]any{"path": "/etc/" + text.Draw(t, "path"), "unit": "u"}
		for _, k := range []string{"s", "n", "l", "m", "ports", "containers"} {
			if !yes(k) {
				continue
			}
			m[k] = map[string]any{"s": text.Draw(t, "s"), "n": float64(rapid.IntRange(0, 9).Draw(t, "n")), "l": []any{"a", float64(1), true, nil},
				"m": map[string]any{"x": text.Draw(t, "x"), "y": map[string]any{"z": true}}, "ports": []any{map[string]any{"port": float64(1), "p": "q"}},
				"containers": []any{map[string]any{"name": "x", "a": text.Draw(t, "a")}, map[string]any{"name": "y"}}}[k]
		}
		return m
	}
	labels := func() map[string]any {
		m := map[string]any{}
		for _, k := range []string{"team", "env"} {
			if yes(k) {
				m[k] = text.Draw(t, k)
			}
		}
		return m
	}
	patches := func(named bool) (out []any) {
		for range rapid.IntRange(0, 3).Draw(t, "patches") {
			target := map[string]any{"kind": rapid.SampledFrom([]string{"File", "Service", "File|Service", ".*"}).Draw(t, "kind")}
			if yes("by name") {
				target = map[string]any{"name": rapid.SampledFrom([]string{"a", ".*b.*", "[ac].*"}).Draw(t, "target")}
			}
			if yes("by label") {
				target["labelSelector"] = rapid.SampledFrom([]string{"team", "env in (x, yes)", "!team", "team=x"}).Draw(t, "selector")
			}
			of := name.Draw(t, "of")
			meta := map[string]any{"name": of}
			if l := labels(); len(l) > 0 {
				meta["labels"] = l
			}
			merge := map[string]any{"apiVersion": document.Version, "kind": kinds[of], "metadata": meta}
			switch rapid.IntRange(0, 9).Draw(t, "merge") {
			case 0:
				merge["$patch"] = "delete"
			case 1:
				merge["spec"] = map[string]any{"s": nil, "m": map[string]any{"$patch": "replace", "w": text.Draw(t, "w")}}
			default:
				merge["spec"] = spec()
			}
			ops := []any{map[string]any{"op": "add", "path": "/spec/added", "value": text.Draw(t, "added")}}
			switch rapid.IntRange(0, 9).Draw(t, "op") {
			case 0:
				ops = append(ops, map[string]any{"op": "replace", "path": "/spec/path", "value": map[string]any{"deep": []any{text.Draw(t, "deep")}}})
			case 1:
				ops = append(ops, map[string]any{"op": "add", "path": "/metadata/labels", "value": map[string]any{"l": text.Draw(t, "l")}})
			case 2:
				ops = append(ops, map[string]any{"op": "test", "path": "/spec/path", "value": "/etc/x"})
			case 3:
				ops = append(ops, map[string]any{"op": "move", "from": "/spec/added", "path": "/spec/moved"})
			}
			var body any = ops
			if rapid.Bool().Draw(t, "merges") {
				body = merge
				if named && rapid.Bool().Draw(t, "named") { // at the top two may have the name
					target = nil
				}
			}
			q := map[string]any{"patch": string(value.Encode(body))}
			if target != nil {
				q["target"] = target
			}
			out = append(out, q)
		}
		return out
	}
	var files []string
	folder := func(dir, kind string, resources, components []any, prefix string) {
		k := map[string]any{"kind": kind, "resources": resources, "patches": patches(dir != "o")}
		if components != nil {
			k["components"] = components
		}
		if l := labels(); len(l) > 0 {
			k["labels"] = []any{map[string]any{"pairs": l}}
		}
		if prefix != "" {
			k["namePrefix"] = prefix
		}
		if yes("suffix") {
			k["nameSuffix"] = "-s"
		}
		files = append(files, dir+"/kustomization.yaml", string(value.Encode(k)))
	}
	for _, dir := range []string{"b1", "b2", "c"} {
		var text strings.Builder
		for _, n := range []string{"a", "b", "c.d", "e"} {
			if (n == "e") != (dir == "c") {
				continue
			}
			fmt.Fprintf(&text, "---\n%s\n", value.Encode(map[string]any{"apiVersion": document.Version, "kind": kinds[n],
				"metadata": map[string]any{"name": n, "labels": labels()}, "spec": spec()}))
		}
		files = append(files, dir+"/all.yaml", text.String())
		kind := map[bool]string{false: "Kustomization", true: componentKind}[dir == "c"]
		folder(dir, kind, []any{"all.yaml"}, nil, dir+"-")
	}
	folder("m", "Kustomization", []any{"../b1"}, []any{"../c"}, rapid.SampledFrom([]string{"", "m-"}).Draw(t, "prefix"))
	folder("o", "Kustomization", []any{"../m", "../b2"}, nil, rapid.SampledFrom([]string{"", "o-"}).Draw(t, "prefix"))
	return tree(files...)
}

// TestRender_IsWhatTheFrontDoorGives: whatever is patched one document after another
// is what the library makes of the whole kustomization, and what it refuses is
// refused.
func TestRender_IsWhatTheFrontDoorGives(t *testing.T) {
	some, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTree(t)
		docs, is := Renderer{}.Render(tr, "o")
		want, wantIs, err := renderByTheFront(tr, "o")
		if err != nil {
			if len(is) == 0 {
				t.Fatalf("rendered, and the front door says: %v", err)
			}
			refused++
			return
		}
		if d := cmp.Diff(fmt.Sprint(wantIs), fmt.Sprint(is)); d != "" {
			t.Fatal(d)
		}
		text := func(docs []document.Document) (out []string) {
			for _, d := range docs {
				var spec any
				if is := d.Spec.Decode(&spec); len(is) > 0 {
					t.Fatal(is)
				}
				out = append(out, fmt.Sprintf("%s: %s/%s %v %s", d.Place, d.Kind, d.Name, d.Labels, value.Encode(spec)))
			}
			return out
		}
		if d := cmp.Diff(text(want), text(docs)); d != "" {
			t.Fatal(d)
		}
		if strings.Contains(strings.Join(text(docs), "\n"), " of ") {
			some++
		}
	})
	if some == 0 || refused == 0 {
		t.Errorf("%d trees had patched documents, %d were refused by the library", some, refused)
	}
}
