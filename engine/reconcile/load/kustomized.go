package load

import (
	"path"
	"strings"

	"vigil/engine/fault"
)

// kustomizations finds the folders to render for this host, and what they hold.
// A base is read through the folder that holds it and not once more by itself,
// unless vigil.yaml names it as a root; a kustomization of another host or of
// another environment takes nothing away from this one.
func (l *loader) kustomizations(layers [3][]chosen) {
	l.tops, l.reached, l.charts = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, folders := range layers {
		for _, root := range folders {
			for i := range l.files {
				if p := l.files[i].Path; root.has(p) && readable(p) {
					if dir, ok := l.kustomized(root, p); ok {
						l.tops[dir] = true
					}
				}
			}
		}
	}
	if l.deps.Render == nil {
		return
	}
	for dir := range l.tops {
		for _, base := range l.deps.Render.Bases(l.Tree, dir) {
			l.reached[base] = true
		}
	}
}

// kustomized finds the outermost folder with a kustomization on the way from a
// root to a file.
func (l *loader) kustomized(root chosen, p string) (dir string, ok bool) {
	at := root.dir
	rest := strings.TrimPrefix(strings.TrimPrefix(path.Dir(p), root.dir), "/")
	for {
		if _, ok := l.Kustomization(at); ok {
			return at, true
		}
		if rest == "" || rest == "." {
			return "", false
		}
		var next string
		next, rest, _ = strings.Cut(rest, "/")
		at = path.Join(at, next)
	}
}

// readable reports whether a file may hold documents, or make a folder a
// kustomization.
func readable(p string) bool {
	return isDocument(p) || path.Base(p) == "Kustomization" && isDocument(p+".yaml")
}

// held reports whether a file lies in a base that is read through another folder.
func (l *loader) held(root chosen, p string) bool {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		if l.reached[dir] && (root.dir == "" || !within(root.dir, dir)) {
			return true
		}
		if dir == "" || dir == "/" {
			return false
		}
	}
}

// within reports whether a folder is another one or lies in it.
func within(dir, other string) bool {
	return other == "" || dir == other || strings.HasPrefix(dir, other+"/")
}

// chart tells once of a folder with a Helm chart, whose templates are no YAML.
func (l *loader) chart(p string) bool {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		name := path.Join(dir, "Chart.yaml")
		if _, ok := l.Source(name); ok {
			if !l.charts[dir] {
				l.charts[dir], l.lost = true, true
				l.issues = append(l.issues, fault.Issue{Place: name, Msg: "a Helm chart cannot be rendered here", Hint: "write the documents out, or use a kustomization"})
			}
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}

func (l *loader) render(layer int, dir string) {
	name, _ := l.Kustomization(dir)
	if l.deps.Render == nil {
		l.issues = append(l.issues, fault.Issue{Place: name, Msg: "a kustomization cannot be rendered here", Hint: "write the documents out, or use hosts/ and environments"})
		l.lost = true
		return
	}
	docs, is := l.deps.Render.Render(l.Tree, dir)
	l.issues, l.lost = append(l.issues, is...), l.lost || len(is) > 0
	for _, d := range docs {
		if len(l.found) >= MaxDocuments {
			l.many(name)
			return
		}
		l.document(layer, d, name)
	}
}

// twice is how two documents of one name are mended.
func (l *loader) twice(by string) string {
	if by == "" {
		return "one of the two has to go"
	}
	return "one of the two has to go; overlays for some hosts are named in environments of vigil.yaml"
}
