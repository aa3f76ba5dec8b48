package kustomize

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile/kustomize/value"
)

// library guards the state that the library keeps for the whole process: the
// schema it merges by. There is one of it, so there is one of this.
var library sync.Mutex

// ticket is the annotation by which a document is known again. Nobody else can
// write one: documents and patches with annotations are refused.
const ticket = "vigil/at"

// made is one document as it comes out.
type made struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec any `json:"spec"`
}

// build lets the library patch one batch. What a patch deleted is missing.
func (b *batch) build(into map[int]made) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the library gave up: %v", r)
		}
	}()
	fs := filesys.MakeFsInMemory()
	top := len(b.list[0].steps) - 1
	for level := range top + 1 {
		if err := fs.WriteFile(fmt.Sprintf("/k%d/kustomization.yaml", level), b.rewritten(level)); err != nil {
			return err
		}
	}
	for k, i := range b.list {
		d := i.from.doc
		spec, err := b.tokens.Hidden(i.from.json)
		if err != nil {
			return err
		}
		text := value.Encode(map[string]any{"apiVersion": document.Version, "kind": d.Kind, "spec": spec,
			"metadata": map[string]any{"name": d.Name, "labels": d.Labels, "annotations": map[string]string{ticket: strconv.Itoa(k)}}})
		if err := fs.WriteFile(fmt.Sprintf("/k0/d%d.json", k), text); err != nil {
			return err
		}
	}
	library.Lock()
	defer library.Unlock()
	// Our kinds have no schema; that of Kubernetes would cost 20 MB and merge a
	// kind of ours that happens to share a name by rules that are not ours.
	openapi.SuppressBuiltInSchemaUse()
	options := krusty.MakeDefaultOptions() // no plug-ins, files below the root alone
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
		var d made
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("%s/%s is no document any more: %w", r.GetKind(), r.GetName(), err)
		}
		k, err := strconv.Atoi(d.Metadata.Annotations[ticket])
		if err != nil || k < 0 || k >= len(b.of) {
			return fmt.Errorf("%s/%s comes out of nowhere", r.GetKind(), r.GetName())
		}
		d.Spec = b.tokens.Show(d.Spec)
		into[b.of[k]] = d
	}
	return nil
}

var (
	hiddenValue = regexp.MustCompile(`\b` + value.Mark + `\d+\b`)
	inFolder    = regexp.MustCompile(`recursed accumulation of path '/k(\d+)': `)
	invented    = regexp.MustCompile(`(?:\.\./|/)?\b(?:k0/)?([kd])(\d+)(\.json)?\b`)
)

// blame is what the library says, in the names of the tree.
func (b *batch) blame(err error) fault.Issue {
	steps := b.list[0].steps
	at, msg := steps[len(steps)-1].node, err.Error()
	if found := inFolder.FindAllStringSubmatchIndex(msg, -1); found != nil {
		last := found[len(found)-1]
		if k, err := strconv.Atoi(msg[last[2]:last[3]]); err == nil && k < len(steps) {
			at = steps[k].node
		}
		msg = msg[last[1]:]
	}
	msg = hiddenValue.ReplaceAllStringFunc(msg, func(s string) string { return fmt.Sprint(b.tokens.Show(s)) })
	msg = invented.ReplaceAllStringFunc(msg, func(s string) string {
		m := invented.FindStringSubmatch(s)
		k, err := strconv.Atoi(m[2])
		switch {
		case err == nil && m[1] == "k" && m[3] == "" && k < len(steps):
			return shown(steps[k].node.dir)
		case err == nil && m[1] == "d" && m[3] != "" && k < len(b.list):
			return b.list[k].from.doc.Place
		}
		return s
	})
	msg = strings.NewReplacer(".v1.vigil/", "/", ".[noNs]", "").Replace(msg)
	if r := []rune(msg); len(r) > 600 {
		msg = string(r[:600]) + "..."
	}
	if len(b.list) == 1 {
		msg = b.list[0].kind() + "/" + b.list[0].name() + ": " + msg
	}
	return fault.Issue{Place: at.file, Msg: "cannot be rendered: " + msg}
}
