package load

import (
	"path"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// rootFile says what of the tree is for whom.
const rootFile = "vigil.yaml"

// rootSpec is the document of kind Vigil in it.
type rootSpec struct {
	Roots        []string          `yaml:"roots"` // read for every host; the whole tree by default
	Environments []environment     `yaml:"environments"`
	Signers      reconcile.Signers `yaml:"signers"`
}

// environment is an overlay for the hosts that match: by name (a * is any run of
// characters) or by all of its labels.
type environment struct {
	Name   string            `yaml:"name"`
	Hosts  []string          `yaml:"hosts"`
	Labels map[string]string `yaml:"labels"`
	Roots  []string          `yaml:"roots"`
}

// chosen is a folder that is read, without others inside it.
type chosen struct {
	dir string
	not []string
}

func (c chosen) has(p string) bool {
	if c.dir != "" && !strings.HasPrefix(p, c.dir+"/") {
		return false
	}
	for _, n := range c.not {
		if strings.HasPrefix(p, n+"/") {
			return false
		}
	}
	return true
}

// choose says which folders are read, in layers: base, environments, host. A
// document of a later layer replaces one of the same kind and name.
func (l *loader) choose() [3][]chosen {
	spec := l.root()
	aside := []string{"hosts"}
	for _, e := range spec.Environments {
		aside = append(aside, e.Roots...)
	}
	var out [3][]chosen
	if len(spec.Roots) == 0 {
		out[0] = []chosen{{dir: "", not: aside}}
	}
	for _, r := range spec.Roots {
		c := chosen{dir: r}
		if r == "" { // the whole tree, and others' folders are no more for everybody than without roots
			c.not = aside
		}
		out[0] = append(out[0], c)
	}
	for _, e := range spec.Environments {
		if l.matches(e) {
			for _, r := range e.Roots {
				out[1] = append(out[1], chosen{dir: r})
			}
		}
	}
	if l.host.Name != "" && !strings.ContainsAny(l.host.Name, "/\x00") && l.host.Name != "." && l.host.Name != ".." {
		out[2] = []chosen{{dir: "hosts/" + l.host.Name}}
	}
	return out
}

func (l *loader) root() (spec rootSpec) {
	data, ok := l.Source(rootFile)
	if !ok {
		return spec
	}
	docs, is := document.Parse(rootFile, data, document.Git)
	if l.issues = append(l.issues, is...); len(is) > 0 {
		return spec
	}
	if len(docs) != 1 || docs[0].Kind != "Vigil" {
		l.issues = append(l.issues, fault.Issue{Place: rootFile, Msg: "expected one document of kind Vigil", Hint: "other documents belong into other files"})
		return spec
	}
	d := docs[0]
	l.issues = append(l.issues, d.Spec.Decode(&spec)...)
	for i, r := range spec.Roots {
		spec.Roots[i] = l.cleaned(d.Spec.Place("roots"), r)
	}
	for _, e := range spec.Environments {
		if e.Name == "" || len(e.Hosts) == 0 && len(e.Labels) == 0 || len(e.Roots) == 0 {
			l.issues.Add(d.Spec.Place("environments"), "an environment needs a name, roots, and hosts or labels")
		}
		for i, r := range e.Roots {
			e.Roots[i] = l.cleaned(d.Spec.Place("environments"), r)
		}
	}
	l.set.Signers = spec.Signers
	return spec
}

// cleaned is a folder of the tree that exists.
func (l *loader) cleaned(place, r string) string {
	c := strings.TrimPrefix(path.Clean("/"+r), "/")
	if c == "" || strings.Contains("/"+r+"/", "/../") {
		if c != "" || r != "." && r != "/" && r != "" || strings.Contains(r, "..") {
			l.issues.Add(place, "%q is no folder of this tree", r)
		}
		return ""
	}
	if l.Folder(c) {
		return c
	}
	l.issues.Add(place, "there is no folder %s in the tree", c)
	return c
}

func (l *loader) matches(e environment) bool {
	for _, h := range e.Hosts {
		if reconcile.Glob(h, l.host.Name) {
			return true
		}
	}
	for k, v := range e.Labels {
		if l.host.Labels[k] != v {
			return false
		}
	}
	return len(e.Labels) > 0
}
