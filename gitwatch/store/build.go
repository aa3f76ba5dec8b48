package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
)

// Change is one file that a new commit writes; nil Data takes it away.
type Change struct {
	Path string
	Data []byte
}

// Note is what a new commit says about itself.
type Note struct {
	Author  objects.Person // When is both dates
	Message string
	// Sign gives the commit object back with a signature in it; nil leaves it as it
	// is. An error makes no commit.
	Sign func(raw []byte) ([]byte, error)
}

// Write makes a commit upon old (zero: the first) with the changes and moves
// ref from old to it. Conflict when ref is elsewhere. It blocks on the disk.
func (s *Store) Write(ctx context.Context, ref string, old plumbing.Hash, changes []Change, note Note) (objects.Commit, error) {
	return s.WriteUpon(ctx, Update{Ref: ref, Old: old}, old, changes, note)
}

// WriteUpon is Write for a ref that does not stand at the parent: u.New is
// filled in. It is how a branch that differs from another is made.
func (s *Store) WriteUpon(ctx context.Context, u Update, parent plumbing.Hash, changes []Change, note Note) (objects.Commit, error) {
	b := &builder{made: map[plumbing.Hash]built{}, files: map[string]objects.Entry{}}
	v := s.View()
	defer v.Close()
	if !parent.IsZero() {
		c, err := v.Commit(parent)
		if err != nil {
			return objects.Commit{}, err
		}
		if err := b.read(v, c.Tree, "", 1); err != nil {
			return objects.Commit{}, err
		}
	}
	for _, c := range changes {
		for part := range strings.SplitSeq(c.Path, "/") {
			if why := objects.CheckName(part); why != "" {
				return objects.Commit{}, fault.New(fault.Unprocessable, "%s", why).At(objects.Printable(c.Path, 300))
			}
		}
		if c.Data == nil {
			delete(b.files, c.Path)
			continue
		}
		b.files[c.Path] = objects.Entry{Mode: objects.ModeFile, Hash: b.add(plumbing.BlobObject, c.Data)}
	}
	tree, err := b.tree(slices.Sorted(maps.Keys(b.files)), "")
	if err != nil {
		return objects.Commit{}, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "tree %s\n", tree)
	if !parent.IsZero() {
		fmt.Fprintf(&text, "parent %s\n", parent)
	}
	who := strings.NewReplacer("\n", " ", "<", "", ">", "", "\x00", "").Replace(note.Author.Name)
	mail := strings.NewReplacer("\n", "", "<", "", ">", "", " ", "", "\x00", "").Replace(note.Author.Mail)
	stamp := fmt.Sprintf("%s <%s> %d +0000\n", who, mail, note.Author.When.Unix())
	fmt.Fprintf(&text, "author %scommitter %s\n%s\n", stamp, stamp, strings.TrimRight(note.Message, "\n"))
	raw := text.Bytes()
	if note.Sign != nil {
		if raw, err = note.Sign(raw); err != nil {
			return objects.Commit{}, err
		}
	}
	u.New = b.add(plumbing.CommitObject, raw)
	q, err := s.fill(ctx, func(f *os.File) error { return b.pack(f, v) })
	if err != nil {
		return objects.Commit{}, err
	}
	defer q.Drop()
	if err := q.Check(ctx, u.New); err != nil {
		return objects.Commit{}, err
	}
	if err := q.Land(u); err != nil {
		return objects.Commit{}, err
	}
	return objects.ParseCommit(u.New, raw)
}

type built struct {
	kind plumbing.ObjectType
	data []byte
}

type builder struct {
	made  map[plumbing.Hash]built
	files map[string]objects.Entry // by path
}

func (b *builder) add(kind plumbing.ObjectType, data []byte) plumbing.Hash {
	h := plumbing.ComputeHash(kind, data)
	b.made[h] = built{kind, data}
	return h
}

// read takes in the files that the parent has.
func (b *builder) read(v *objects.View, tree plumbing.Hash, prefix string, depth int) error {
	if depth > objects.MaxDepth {
		return fault.New(fault.TooLarge, "folders nest deeper than %d", objects.MaxDepth).At(prefix)
	}
	entries, err := v.Tree(tree)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Mode == objects.ModeTree {
			if err := b.read(v, e.Hash, prefix+e.Name+"/", depth+1); err != nil {
				return err
			}
			continue
		}
		b.files[prefix+e.Name] = e
	}
	return nil
}

// tree makes the tree of a folder from the sorted paths under it.
func (b *builder) tree(paths []string, prefix string) (plumbing.Hash, error) {
	entries := map[string]objects.Entry{} // by the name that git sorts by
	for i := 0; i < len(paths); {
		name, _, nested := strings.Cut(paths[i][len(prefix):], "/")
		if !nested {
			e := b.files[paths[i]]
			e.Name = name
			entries[name] = e
			i++
			continue
		}
		folder := prefix + name + "/"
		end := i
		for end < len(paths) && strings.HasPrefix(paths[end], folder) {
			end++
		}
		if _, file := b.files[prefix+name]; file {
			return plumbing.ZeroHash, fault.New(fault.Conflict, "a file stands where a folder should").At(prefix + name)
		}
		h, err := b.tree(paths[i:end], folder)
		if err != nil {
			return h, err
		}
		entries[name+"/"] = objects.Entry{Mode: objects.ModeTree, Name: name, Hash: h}
		i = end
	}
	var raw bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		e := entries[key]
		fmt.Fprintf(&raw, "%o %s\x00", e.Mode, e.Name)
		raw.Write(e.Hash[:])
	}
	return b.add(plumbing.TreeObject, raw.Bytes()), nil
}

// pack writes what the store does not have.
func (b *builder) pack(f *os.File, v *objects.View) error {
	var names []plumbing.Hash
	for h := range b.made {
		if !v.Has(h) {
			names = append(names, h)
		}
	}
	plumbing.HashesSort(names)
	w, err := pack.NewWriter(f, uint32(len(names)))
	if err != nil {
		return err
	}
	for _, h := range names {
		if err := w.Object(h, b.made[h].kind, b.made[h].data); err != nil {
			return err
		}
	}
	_, err = w.Close()
	return err
}
