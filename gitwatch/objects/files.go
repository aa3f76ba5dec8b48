package objects

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// TreeCaps bound what one revision may hold.
type TreeCaps struct {
	Files int   `toml:"files"`
	Bytes int64 `toml:"bytes"` // of all files together; they are read into memory
	File  int64 `toml:"file"`  // bytes of one file
	Depth int   `toml:"depth"` // of folders
}

// TreeDefaults take twenty thousand documents.
func TreeDefaults() TreeCaps {
	return TreeCaps{Files: 50_000, Bytes: 64 << 20, File: 4 << 20, Depth: 16}
}

// Validate wants every cap to be positive.
func (c TreeCaps) Validate() error {
	if c.Files <= 0 || c.Bytes <= 0 || c.File <= 0 || c.Depth <= 0 || c.Depth > MaxDepth {
		return fault.New(fault.Unprocessable, "every cap of a tree must be positive, and the depth at most %d", MaxDepth)
	}
	return nil
}

// File is one file of a tree.
type File struct {
	Path       string // with slashes, from the root of the tree
	Hash       string // of the blob: equal bytes, equal hash
	Executable bool
	Data       []byte
}

// manyIssues bounds how many faults of one tree are named.
const manyIssues = 20

// Files reads all files of a tree from the objects, in order of their paths,
// never from a checkout. Links, submodules, names that could be taken for
// others, and what is over a cap are refused with the path: fault.Issues. Every
// byte was hashed against the name it has in its tree.
func (v *View) Files(ctx context.Context, tree plumbing.Hash, caps TreeCaps) ([]File, error) {
	r := &treeReader{v: v, ctx: ctx, caps: caps}
	if err := r.folder(tree, "", 1); err != nil {
		return nil, err
	}
	if err := r.issues.Err(); err != nil {
		return nil, err
	}
	return r.files, nil
}

type treeReader struct {
	v      *View
	ctx    context.Context
	caps   TreeCaps
	files  []File
	bytes  int64
	opened int // folders: a tree may name one folder many times, with no file in it
	issues fault.Issues
}

func (r *treeReader) issue(path, format string, args ...any) {
	if len(r.issues) < manyIssues {
		r.issues.Add(Printable(path, 300), format, args...)
	}
}

func (r *treeReader) folder(tree plumbing.Hash, prefix string, depth int) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if depth > r.caps.Depth {
		r.issue(prefix, "folders nest deeper than %d", r.caps.Depth)
		return nil
	}
	// Folders that lead to files are no more than that.
	if most := int64(r.caps.Files) * int64(r.caps.Depth); int64(r.opened) >= most {
		return fault.New(fault.TooLarge, "more than %d folders", most)
	}
	r.opened++
	entries, err := r.v.Tree(tree)
	if err != nil {
		return err
	}
	folded := make(map[string]string, len(entries))
	for _, e := range entries {
		if len(r.issues) >= manyIssues {
			return nil
		}
		path := prefix + e.Name
		if why := CheckName(e.Name); why != "" {
			r.issue(fmt.Sprintf("%s%q", prefix, e.Name), "%s", why)
			continue
		}
		if other, ok := folded[fold(e.Name)]; ok {
			r.issue(path, "this differs from %s in case alone", Printable(prefix+other, 300))
			continue
		}
		folded[fold(e.Name)] = e.Name
		switch e.Mode {
		case ModeTree:
			if err := r.folder(e.Hash, path+"/", depth+1); err != nil {
				return err
			}
		case ModeLink:
			r.issue(path, "this is a symbolic link; only files and folders are taken")
		case ModeSubmodule:
			r.issue(path, "this is a submodule; only files and folders are taken")
		default:
			if err := r.file(path, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *treeReader) file(path string, e Entry) error {
	if len(r.files) >= r.caps.Files {
		return fault.New(fault.TooLarge, "more than %d files", r.caps.Files)
	}
	kind, data, err := r.v.Get(e.Hash)
	if fault.KindOf(err) == fault.TooLarge {
		r.issue(path, "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if kind != plumbing.BlobObject {
		r.issue(path, "this is a %s and no file", kind)
		return nil
	}
	if int64(len(data)) > r.caps.File {
		r.issue(path, "%d bytes, at most %d are taken", len(data), r.caps.File)
		return nil
	}
	if r.bytes += int64(len(data)); r.bytes > r.caps.Bytes {
		return fault.New(fault.TooLarge, "the files of one revision have over %d bytes", r.caps.Bytes)
	}
	r.files = append(r.files, File{Path: path, Hash: e.Hash.String(), Executable: e.Mode == ModeExecutable, Data: data})
	return nil
}

// FileAt reads one file of a commit's tree; NotFound without it.
func (v *View) FileAt(commit plumbing.Hash, path string, limit int64) ([]byte, error) {
	c, err := v.Commit(commit)
	if err != nil {
		return nil, err
	}
	at := c.Tree
	parts := strings.Split(path, "/")
	for i, part := range parts {
		entries, err := v.Tree(at)
		if err != nil {
			return nil, err
		}
		n := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == part })
		file := i == len(parts)-1
		if n < 0 || (entries[n].Mode == ModeTree) == file || entries[n].Mode == ModeLink || entries[n].Mode == ModeSubmodule {
			return nil, fault.New(fault.NotFound, "there is no file %s", path)
		}
		at = entries[n].Hash
	}
	_, data, err := v.Get(at)
	if err == nil && int64(len(data)) > limit {
		err = fault.New(fault.TooLarge, "%s has over %d bytes", path, limit)
	}
	return data, err
}
