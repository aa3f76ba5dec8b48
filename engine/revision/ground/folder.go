package ground

import (
	"path"
	"strings"

	"vigil/engine/reconcile"
)

// Folders are the managed folders that a thing lies in, the outermost first. k.Mu
// is held, or this is the keeper's goroutine.
func (g *Ground) Folders(t *Thing) (out []*Thing) {
	if t.Item == nil {
		return nil
	}
	for _, p := range t.Item.Paths() {
		for d := path.Dir(p); d != "/" && d != "."; d = path.Dir(d) {
			for _, f := range g.byPath[d] {
				if f != t && f.isFolder() {
					out = append([]*Thing{f}, out...)
				}
			}
		}
	}
	return out
}

func (t *Thing) isFolder() bool {
	return t.Item != nil && t.Item.Key().Kind == "Directory" && t.Item.Mode != reconcile.Absent
}

// TouchedBelow says that a managed folder was put right: what lies in it is looked
// at again.
func (g *Ground) TouchedBelow(t *Thing) {
	if !t.isFolder() {
		return
	}
	folder := strings.TrimPrefix(t.Item.Key().Subject, "file:") + "/"
	var below []string
	for p := range g.byPath {
		if strings.HasPrefix(p, folder) {
			below = append(below, p)
		}
	}
	g.Touched(below, false)
}
