package kustomize

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	filter "sigs.k8s.io/kustomize/api/filters/labels"
	"sigs.k8s.io/kustomize/api/filters/patchjson6902"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile/kustomize/value"
)

// library guards the state that the library keeps for the whole process: the
// schema it merges by. There is one of it, so there is one of this.
var library sync.Mutex

// made is one document as it comes out.
type made struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec any `json:"spec"`
}

// failure is a document that could not be patched, and where on its way.
type failure struct {
	at     *node
	doc    *instance
	err    error
	tokens *value.Tokens // that the error may speak of
}

// build lets the library patch a batch, one document after another, by what it
// itself is made of. Its front door takes whole kustomizations, and there every
// patch compares each document with each, which nobody here has any use for: who is
// the only one of its name is known. Documents that differ in values alone are the
// same to the library, and it is asked once. What a patch deleted is missing.
func (b *batch) build(into map[int]made) (failed []failure) {
	library.Lock()
	defer library.Unlock()
	// Our kinds have no schema; that of Kubernetes would cost 20 MB and merge a
	// kind of ours that happens to share a name by rules that are not ours.
	openapi.SuppressBuiltInSchemaUse()
	w := workshop{tokens: value.New(), factory: resource.NewFactory(nil), tools: map[*prepared]*tool{}, known: map[string]outcome{}}
	for level := range b.list[0].steps {
		at := b.list[0].steps[level].node
		for _, n := range b.patches(level) {
			if err := w.read(&at.patches[n]); err != nil {
				return []failure{{at, b.list[0], err, w.tokens}}
			}
		}
	}
	for k, i := range b.list {
		switch o, tokens := w.work(i); {
		case o.err != nil:
			failed = append(failed, failure{o.at, i, o.err, tokens})
		case o.there:
			m, err := o.shown(tokens)
			if err != nil {
				failed = append(failed, failure{o.at, i, err, tokens})
				continue
			}
			into[b.of[k]] = m
		}
	}
	return failed
}

// workshop is what the documents of one batch are patched with.
type workshop struct {
	tokens  *value.Tokens // of the patches
	factory *resource.Factory
	tools   map[*prepared]*tool
	known   map[string]outcome // by a document and its patches, both hidden
}

// tool is a patch as the library has read it.
type tool struct {
	merge      *resource.Resource // or
	operations string
	kind, name *regexp.Regexp // of those it is for, nil all
	labels     string         // likewise, a selector
}

// outcome is what became of a document, with tokens in place of its values.
type outcome struct {
	m     made
	there bool
	at    *node // the step that was begun last
	err   error
}

// read makes a tool of a patch. One without a target is for the document that it
// names, which has been found.
func (w *workshop) read(q *prepared) (err error) {
	t, text := &tool{}, w.tokens.Patch(q.merge, q.ops)
	if q.merge == nil {
		t.operations = string(text)
	} else if t.merge, err = w.factory.FromBytes(text); err != nil {
		return err
	}
	if q.target != nil {
		t.labels = q.target.LabelSelector
		if t.kind, err = whole(q.target.Kind); err != nil {
			return err
		}
		if t.name, err = whole(q.target.Name); err != nil {
			return err
		}
	}
	w.tools[q] = t
	return nil
}

// work takes one document through its steps. Its name stays as it was written: what
// it is called on the way is known without.
func (w *workshop) work(i *instance) (o outcome, tokens *value.Tokens) {
	tokens = w.tokens.Over()
	spec, err := tokens.Hidden(i.from.json)
	if err != nil {
		return outcome{at: i.steps[0].node, err: err}, tokens
	}
	first := i.names[0]
	name := first
	var key strings.Builder
	use := make([][]*tool, len(i.steps))
	for level, s := range i.steps {
		for _, n := range s.patches {
			t := w.tools[&s.node.patches[n]]
			if (t.kind == nil || t.kind.MatchString(i.kind())) && (t.name == nil || t.name.MatchString(first) || t.name.MatchString(name)) {
				use[level] = append(use[level], t)
				fmt.Fprintf(&key, "%d/%d ", level, n)
			}
		}
		name = s.node.spec.NamePrefix + name + s.node.spec.NameSuffix
	}
	text := value.Encode(map[string]any{"apiVersion": document.Version, "kind": i.kind(), "spec": spec,
		"metadata": map[string]any{"name": "document", "labels": i.from.doc.Labels}})
	key.Write(text)
	o, known := w.known[key.String()]
	if !known {
		o = w.patch(text, i.steps, use)
		w.known[key.String()] = o
	}
	return o, tokens
}

// patch is work for a document that is not known yet.
func (w *workshop) patch(text []byte, steps []step, use [][]*tool) (o outcome) {
	o.at = steps[0].node
	defer func() {
		if r := recover(); r != nil {
			o.err = fmt.Errorf("the library gave up: %v", r)
		}
	}()
	r, err := w.factory.FromBytes(text)
	if err != nil {
		o.err = err
		return o
	}
	for level, s := range steps {
		o.at = s.node
		for _, t := range use[level] {
			if o.there, o.err = t.apply(r); o.err != nil || !o.there {
				return o
			}
		}
		for _, pairs := range s.node.pairs() {
			if o.err = r.ApplyFilter(filter.Filter{Labels: pairs, FsSlice: types.FsSlice{{Path: "metadata/labels", CreateIfNotPresent: true}}}); o.err != nil {
				return o
			}
		}
	}
	o.there = true
	if text, o.err = r.MarshalJSON(); o.err == nil {
		o.err = json.Unmarshal(text, &o.m)
	}
	return o
}

// apply patches a document if its labels say so. False: nothing of it is left.
func (t *tool) apply(r *resource.Resource) (there bool, err error) {
	if t.labels != "" {
		if is, err := r.MatchesLabelSelector(t.labels); err != nil || !is {
			return err == nil, err
		}
	}
	if t.merge == nil {
		return true, r.ApplyFilter(patchjson6902.Filter{Patch: t.operations})
	}
	patch := t.merge.DeepCopy()
	if err := patch.CopyMergeMetaDataFieldsFrom(t.merge); err != nil {
		return false, err
	}
	patch.SetGvk(r.GetGvk())
	patch.SetKind(t.merge.GetKind())
	err = r.ApplySmPatch(patch)
	return !r.IsNilOrEmpty(), err
}

// shown is the document with its values.
func (o outcome) shown(tokens *value.Tokens) (m made, err error) {
	m.Spec = tokens.Show(o.m.Spec)
	for k, v := range o.m.Metadata.Labels { // an operation may have moved a value here
		text, is := tokens.Show(v).(string)
		if !is {
			return m, fmt.Errorf("the label %s is no text", k)
		}
		if m.Metadata.Labels == nil {
			m.Metadata.Labels = map[string]string{}
		}
		m.Metadata.Labels[k] = text
	}
	return m, nil
}

var hiddenValue = regexp.MustCompile(`\b` + value.Mark + `\d+\b`)

// blame is what the library says, in the names of the tree.
func (f failure) blame() fault.Issue {
	msg := hiddenValue.ReplaceAllStringFunc(f.err.Error(), func(s string) string { return fmt.Sprint(f.tokens.Show(s)) })
	msg = strings.NewReplacer(".v1.vigil/", "/", ".[noNs]", "").Replace(msg)
	if r := []rune(msg); len(r) > 600 {
		msg = string(r[:600]) + "..."
	}
	return fault.Issue{Place: f.at.file, Msg: "cannot be rendered: " + f.doc.kind() + "/" + f.doc.name() + ": " + msg}
}
