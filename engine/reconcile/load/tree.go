package load

import (
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// File is one file of a revision.
type File struct {
	Path string // with slashes, from the root
	Data []byte
}

// Tree is the files of one revision, found by their paths. It holds the files as
// they were given and is safe for concurrent use.
type Tree struct {
	files  []File // by path
	byPath map[string]int
}

// NewTree makes a tree; the slice is not kept, the bytes are.
func NewTree(files []File) Tree {
	t := Tree{files: slices.Clone(files), byPath: make(map[string]int, len(files))}
	slices.SortFunc(t.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for i, f := range t.files {
		t.byPath[f.Path] = i
	}
	return t
}

// Source is the bytes of a file, by its whole path.
func (t Tree) Source(p string) ([]byte, bool) {
	i, ok := t.byPath[p]
	if !ok {
		return nil, false
	}
	return t.files[i].Data, true
}

// Folder reports whether there is a file below a folder; "" is the root.
func (t Tree) Folder(dir string) bool {
	if dir == "" {
		return len(t.files) > 0
	}
	i, _ := slices.BinarySearchFunc(t.files, dir+"/", func(f File, s string) int { return strings.Compare(f.Path, s) })
	return i < len(t.files) && strings.HasPrefix(t.files[i].Path, dir+"/")
}

// Kustomization is the path of the file that makes a folder a kustomization.
func (t Tree) Kustomization(dir string) (file string, ok bool) {
	for _, k := range Kustomizations() {
		p := k
		if dir != "" {
			p = dir + "/" + k
		}
		if _, ok := t.byPath[p]; ok {
			return p, true
		}
	}
	return "", false
}

// Kustomizations are the names of the file that makes a folder a kustomization.
func Kustomizations() []string {
	return []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}
}

// Renderer turns a folder with a kustomization into documents, from the tree
// alone. Both methods are given only folders that have one.
type Renderer interface {
	// Bases are the folders that the kustomization reaches, without itself. What
	// is wrong with it is left to Render.
	Bases(t Tree, folder string) []string
	// Render gives its documents, or issues and nothing.
	Render(t Tree, folder string) ([]document.Document, fault.Issues)
}
