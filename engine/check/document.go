package check

import (
	"encoding/json"
	"hash/fnv"
	"strings"

	"vigil/engine/check/probe"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// FromDocument reads a document of kind Check. Nothing is started; of the host
// only the names of users are looked up. All issues are reported at once; beside issues the
// definition is not usable.
func FromDocument(doc document.Document, deps probe.Deps) (Definition, fault.Issues) {
	d := Definition{Name: doc.Name, Owner: doc.Owner, Place: doc.Place}
	var is fault.Issues
	if doc.Kind != DocumentKind {
		is.Add(doc.Place, "a document of kind %q is no check", doc.Kind)
		return d, is
	}
	if doc.Name == Host {
		is.Add(doc.Place, "the name %q is taken by vigild's own measuring of the host", doc.Name)
		return d, is
	}
	name := doc.Spec.Get("kind")
	d.Kind = name.Text()
	for _, k := range kinds {
		if k.name != d.Kind {
			continue
		}
		common, params, issues := k.decode(doc.Spec)
		is = append(is, issues...)
		if len(is) > 0 {
			return d, is
		}
		is = append(is, common.apply(&d, doc.Spec.Place)...)
		site := &probe.Site{Name: doc.Name, Timeout: d.timeout, MaxOutput: common.MaxOutput, Deps: deps, At: doc.Spec.Place}
		if site.MaxOutput == 0 {
			site.MaxOutput = k.output
		}
		// The digest is taken before Build, which may fill in what was left out.
		d.Digest = digest(d.Name, common, params)
		d.check = params.Build(site)
		return d, append(is, site.Issues...)
	}
	issue := fault.Issue{Place: doc.Spec.Place("kind"), Msg: "expected `kind` to be one of " + strings.Join(Kinds(), ", ")}
	if !name.Absent() {
		issue.Msg = "unknown kind of check " + quote(d.Kind) + ": expected one of " + strings.Join(Kinds(), ", ")
		if near := document.Nearest(d.Kind, Kinds()); near != "" {
			issue.Hint = "did you mean " + near + "?"
		}
	}
	return d, append(is, issue)
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// digest tells whether two definitions were written alike. Maps are encoded in
// the order of their keys, so equal values have equal text.
func digest(name string, parts ...any) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	for _, p := range parts {
		b, err := json.Marshal(p)
		if err != nil {
			return 0 // parameters are plain data: this cannot happen
		}
		h.Write(b)
	}
	return h.Sum64()
}
