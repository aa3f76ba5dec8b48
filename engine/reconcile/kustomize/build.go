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
)

// library guards the state that the library keeps for the whole process: the
// schema it merges by. There is one of it, so there is one of this.
var library sync.Mutex

// made is one document as it comes out.
type made struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec json.RawMessage `json:"spec"`
}

// build lets the library merge what was planned.
func (p *planner) build(root *node) (out []made, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("the library gave up: %v", r)
		}
	}()
	fs := filesys.MakeFsInMemory()
	for _, n := range p.nodes {
		dir := fmt.Sprintf("/k%d/", n.at)
		if err := fs.WriteFile(dir+"kustomization.yaml", n.rewritten(n == root)); err != nil {
			return nil, err
		}
		for _, s := range n.sources {
			if err := fs.WriteFile(dir+fmt.Sprintf("d%d.json", s.at), s.rewritten()); err != nil {
				return nil, err
			}
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
	m, err := krusty.MakeKustomizer(options).Run(fs, fmt.Sprintf("/k%d", root.at))
	if err != nil {
		return nil, err
	}
	for _, r := range m.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		var d made
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("%s/%s is no document any more: %w", r.GetKind(), r.GetName(), err)
		}
		out = append(out, d)
	}
	return out, nil
}

// rewritten is a kustomization with nothing in it but what was checked. The top
// one asks for the origin of each document, which bases inherit.
func (n *node) rewritten(top bool) []byte {
	k := map[string]any{"apiVersion": version, "kind": "Kustomization", "resources": n.resources}
	if n.component() {
		k["apiVersion"], k["kind"] = componentVersion, componentKind
	}
	if top {
		k["buildMetadata"] = []string{types.OriginAnnotations}
	}
	var components []string
	for _, c := range n.components {
		components = append(components, fmt.Sprintf("../k%d", c.at))
	}
	var patches []map[string]any
	for _, q := range n.patches {
		e := map[string]any{"patch": q.text}
		if q.target != nil {
			e["target"] = q.target
		}
		patches = append(patches, e)
	}
	var pairs []map[string]any
	for _, l := range n.spec.Labels {
		pairs = append(pairs, map[string]any{"pairs": l.Pairs})
	}
	if len(n.spec.CommonLabels) > 0 {
		pairs = append(pairs, map[string]any{"pairs": n.spec.CommonLabels})
	}
	k["components"], k["patches"], k["labels"] = components, patches, pairs
	k["namePrefix"], k["nameSuffix"] = n.spec.NamePrefix, n.spec.NameSuffix
	return encode(k)
}

func (s *source) rewritten() []byte {
	return encode(map[string]any{"apiVersion": document.Version, "kind": s.doc.Kind,
		"metadata": map[string]any{"name": s.doc.Name, "labels": s.doc.Labels}, "spec": json.RawMessage(s.json)})
}

var (
	inFolder = regexp.MustCompile(`recursed accumulation of path '/k(\d+)': `)
	invented = regexp.MustCompile(`(?:\.\./|/)?\b([kd])(\d+)(?:\.json)?\b`)
)

// blame is what the library says, in the names of the tree.
func (p *planner) blame(root *node, err error) fault.Issue {
	at, msg := root, err.Error()
	if found := inFolder.FindAllStringSubmatchIndex(msg, -1); found != nil {
		last := found[len(found)-1]
		if i, err := strconv.Atoi(msg[last[2]:last[3]]); err == nil && i < len(p.nodes) {
			at = p.nodes[i]
		}
		_, msg, _ = strings.Cut(msg[last[0]:], "': ")
	}
	msg = invented.ReplaceAllStringFunc(msg, func(s string) string {
		m := invented.FindStringSubmatch(s)
		i, err := strconv.Atoi(m[2])
		switch {
		case err == nil && m[1] == "k" && i < len(p.nodes):
			return shown(p.nodes[i].dir)
		case err == nil && m[1] == "d" && strings.HasSuffix(s, ".json") && i < len(p.sources):
			return p.sources[i].doc.Place
		}
		return s
	})
	msg = strings.NewReplacer(".v1.vigil/", "/", ".[noNs]", "").Replace(msg)
	if r := []rune(msg); len(r) > 600 {
		msg = string(r[:600]) + "..."
	}
	return fault.Issue{Place: at.file, Msg: "cannot be rendered: " + msg}
}
