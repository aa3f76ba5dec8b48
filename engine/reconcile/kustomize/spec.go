package kustomize

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// spec is what of a kustomization is rendered here.
type spec struct {
	APIVersion   string            `yaml:"apiVersion"`
	Kind         string            `yaml:"kind"`
	Metadata     document.Node     `yaml:"metadata"` // of no use to anybody, and often there
	Resources    []string          `yaml:"resources"`
	Bases        []string          `yaml:"bases"` // the old word for folders among the resources
	Components   []string          `yaml:"components"`
	Patches      []patch           `yaml:"patches"`
	Merges       []string          `yaml:"patchesStrategicMerge"` // old: paths or texts
	JSONPatches  []patch           `yaml:"patchesJson6902"`       // old
	Labels       []labels          `yaml:"labels"`
	CommonLabels map[string]string `yaml:"commonLabels"` // old
	NamePrefix   string            `yaml:"namePrefix"`
	NameSuffix   string            `yaml:"nameSuffix"`
}

type patch struct {
	Path   string  `yaml:"path"`
	Patch  string  `yaml:"patch"`
	Target *target `yaml:"target"`
}

// target says which documents a patch is for; Kind and Name are regular
// expressions that have to match the whole.
type target struct {
	Group         string `yaml:"group" json:"group,omitempty"`
	Version       string `yaml:"version" json:"version,omitempty"`
	Kind          string `yaml:"kind" json:"kind,omitempty"`
	Name          string `yaml:"name" json:"name,omitempty"`
	LabelSelector string `yaml:"labelSelector" json:"labelSelector,omitempty"`
}

type labels struct {
	Pairs            map[string]string `yaml:"pairs"`
	IncludeSelectors bool              `yaml:"includeSelectors"`
	IncludeTemplates bool              `yaml:"includeTemplates"`
}

const (
	version          = "kustomize.config.k8s.io/v1beta1"
	componentVersion = "kustomize.config.k8s.io/v1alpha1"
	componentKind    = "Component"
)

// refusal is why a field of Kustomize is not taken here.
type refusal struct{ msg, hint string }

// refused lists every field that the library knows and this room does not hand on.
func refused() map[string]refusal {
	plugin := refusal{"runs plug-ins, and nothing is executed to render documents", "write the documents out, or use patches"}
	chart := refusal{"needs Helm, and charts are not rendered", "write the documents out"}
	generator := refusal{"makes Kubernetes objects, and a host has no use for them", "write a File with content or source"}
	schema := refusal{"changes how kinds are read, and the kinds of documents are fixed", "leave it out"}
	copies := refusal{"copies values from document to document, which has no bound", "use patches"}
	nothing := refusal{"means nothing to the documents of a host", "leave it out, or use patches"}
	return map[string]refusal{
		"generators": plugin, "transformers": plugin, "validators": plugin,
		"helmCharts": chart, "helmGlobals": chart, "helmChartInflationGenerator": chart,
		"configMapGenerator": generator, "secretGenerator": generator, "generatorOptions": generator,
		"openapi": schema, "crds": schema, "configurations": schema,
		"vars": copies, "replacements": copies,
		"images": nothing, "imageTags": nothing, "replicas": nothing, "namespace": nothing,
		"commonAnnotations": nothing, "sortOptions": nothing, "buildMetadata": nothing,
	}
}

// affix reports whether a prefix or a suffix is one that any name can take.
func affix(s string) bool {
	return len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	})
}

// read reads one kustomization, strictly.
func read(file string, data []byte) (s spec, root document.Node, issues fault.Issues) {
	root.File = file
	trees, issues := document.Trees(file, data)
	if len(issues) > 0 {
		return s, root, issues
	}
	if len(trees) != 1 || !trees[0].IsMapping() {
		return s, root, fault.Issues{{Place: file, Msg: "a kustomization is one mapping of fields", Hint: "begin with resources:"}}
	}
	root = trees[0]
	var kept []*yaml.Node
	why := refused()
	for i := 0; i+1 < len(root.YAML.Content); i += 2 {
		key := root.YAML.Content[i]
		if r, ok := why[key.Value]; ok {
			issues = append(issues, fault.Issue{Place: document.Node{File: file, YAML: key}.Place(), Msg: key.Value + " " + r.msg, Hint: r.hint})
			continue
		}
		kept = append(kept, key, root.YAML.Content[i+1])
	}
	bare := *root.YAML
	bare.Content = kept
	issues = append(issues, document.Node{File: file, YAML: &bare}.Decode(&s)...)

	want := version
	if s.Kind == componentKind {
		want = componentVersion
	} else if s.Kind != "" && s.Kind != "Kustomization" {
		issues.Add(root.Place("kind"), "kind %q is neither Kustomization nor Component", s.Kind)
	}
	if s.APIVersion != "" && s.APIVersion != want {
		issues = append(issues, fault.Issue{Place: root.Place("apiVersion"), Msg: "this apiVersion is not spoken here", Hint: "write " + want})
	}
	for _, a := range [][2]string{{"namePrefix", s.NamePrefix}, {"nameSuffix", s.NameSuffix}} {
		if !affix(a[1]) {
			issues.Add(root.Place(a[0]), "%s takes at most 63 letters, digits, dots, - and _", a[0])
		}
	}
	for _, l := range s.Labels {
		if l.IncludeSelectors || l.IncludeTemplates {
			issues = append(issues, fault.Issue{Place: root.Place("labels"), Msg: "documents have no selectors and no templates", Hint: "leave includeSelectors and includeTemplates out"})
		}
	}
	if len(kept) == 0 && len(issues) == 0 {
		issues = append(issues, fault.Issue{Place: file, Msg: "the kustomization says nothing", Hint: "name files or folders in resources"})
	}
	return s, root, issues
}
