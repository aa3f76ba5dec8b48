package document

import (
	"strings"
	"unicode"

	"vigil/engine/fault"
)

// header is the outside of every document of ours.
type header struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       Node     `yaml:"spec"`
}

type metadata struct {
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels"`
}

// documents turns one root into documents: one, or as many as its `policies:`
// list holds.
func documents(root Node, owner Owner) ([]Document, fault.Issues) {
	var issues fault.Issues
	if !root.IsMapping() {
		issues = append(issues, fault.Issue{Place: root.place(), Msg: "a document must be a mapping of fields",
			Hint: "begin with apiVersion: " + Version})
		return nil, issues
	}
	if root.Get("apiVersion").Absent() {
		if ds, is, ok := flat(root, owner); ok {
			return ds, is
		}
	}
	if i, ok := foreign(root); ok {
		return nil, fault.Issues{i}
	}
	var h header
	issues = root.Decode(&h)
	switch {
	case h.APIVersion == "" && len(root.Get("apiVersion").Text()) == 0:
		issues = append(issues, fault.Issue{Place: root.place(), Msg: "apiVersion is missing", Hint: "write apiVersion: " + Version})
	case h.APIVersion != Version:
		issues = append(issues, fault.Issue{Place: root.Place("apiVersion"), Msg: "apiVersion " + quoted(h.APIVersion) + " is not spoken here", Hint: "write " + Version})
	}
	if h.Kind == "" && root.Get("kind").Text() == "" {
		issues = append(issues, fault.Issue{Place: root.place(), Msg: "kind is missing", Hint: "write what it is, such as kind: Policy"})
	}
	meta := root.Get("metadata")
	if meta.Absent() || meta.IsMapping() && meta.Get("name").Absent() {
		issues = append(issues, fault.Issue{Place: root.Place("metadata"), Msg: "metadata.name is missing", Hint: "give the document a name"})
	} else if msg := badName(h.Metadata.Name); msg != "" && meta.Get("name").IsScalar() {
		issues = append(issues, fault.Issue{Place: root.Place("metadata", "name"), Msg: msg})
	}
	if h.Spec.Absent() {
		issues = append(issues, fault.Issue{Place: root.place(), Msg: "spec is missing"})
	}
	if len(issues) > 0 {
		return nil, issues
	}
	return []Document{{Kind: h.Kind, Name: h.Metadata.Name, Labels: h.Metadata.Labels, Owner: owner, Place: root.place(), Spec: h.Spec}}, nil
}

// foreign recognises what other tools would render into documents. It gets one
// issue, not one for every field that is not ours.
func foreign(root Node) (fault.Issue, bool) {
	kind := root.Get("kind").Text()
	switch {
	case root.Get("apiVersion").Text() == Version:
	case kind == "Kustomization":
		return fault.Issue{Place: root.place(), Msg: "a Kustomization is no document", Hint: "it is the file kustomization.yaml of a folder"}, true
	case kind == "HelmRelease" || kind == "HelmChart" || kind == "HelmRepository":
		return fault.Issue{Place: root.place(), Msg: "a " + kind + " cannot be rendered here", Hint: "write the documents out, or use a kustomization"}, true
	}
	return fault.Issue{}, false
}

// badName says what is wrong with a name, "" for nothing.
func badName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "the name is empty"
	case len(name) > maxName:
		return "the name is longer than 255 bytes"
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }):
		return "the name holds a control character"
	case strings.TrimSpace(name) != name:
		return "the name begins or ends with a space"
	}
	return ""
}

// flat recognises the original's shapes: a `policies:` list, and a document of
// the match_metric dialect. Their fields are checked by whoever reads them.
func flat(root Node, owner Owner) (ds []Document, issues fault.Issues, ok bool) {
	list := root.Get("policies")
	switch {
	case !list.Absent() && root.Get("kind").Absent():
		for i := 0; i+1 < len(root.YAML.Content); i += 2 {
			if k := root.YAML.Content[i]; k.Value != "policies" {
				issues = append(issues, fault.Issue{Place: place(root.File, k), Msg: "unknown field " + quoted(k.Value) + " beside policies",
					Hint: "a file of policies holds nothing else"})
			}
		}
		if !list.IsSequence() && list.Text() != "" {
			issues = append(issues, fault.Issue{Place: list.place(), Msg: "policies must be a list"})
		}
		for _, item := range list.Items() {
			d, is := flatPolicy(item, owner)
			if issues = append(issues, is...); len(is) == 0 {
				ds = append(ds, d)
			}
		}
		return ds, issues, true
	case !root.Get("match_metric").Absent():
		d, is := flatPolicy(root, owner)
		if len(is) > 0 {
			return nil, is, true
		}
		return []Document{d}, nil, true
	}
	return nil, nil, false
}

func flatPolicy(n Node, owner Owner) (Document, fault.Issues) {
	if !n.IsMapping() {
		return Document{}, fault.Issues{{Place: n.place(), Msg: "a policy must be a mapping of fields"}}
	}
	name := n.Get("name")
	if !name.IsScalar() {
		return Document{}, fault.Issues{{Place: n.Place("name"), Msg: "a policy needs a name", Hint: "write name: followed by text"}}
	}
	if msg := badName(name.Text()); msg != "" {
		return Document{}, fault.Issues{{Place: name.place(), Msg: msg}}
	}
	return Document{Kind: "Policy", Name: name.Text(), Owner: owner, Place: n.place(), Spec: n, Flat: true}, nil
}
