package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// Where a host stands: the revision that was applied, and the newest that was
// found healthy.
const (
	Applied = "refs/vigil/applied"
	Good    = "refs/vigil/good"
)

// Bounds of refs.
const (
	maxRefs    = 10_000
	maxRefName = 250
)

// Update moves one ref. A zero Old means that it must not exist, a zero New
// that it goes away.
type Update struct {
	Ref      string
	Old, New plumbing.Hash
}

// CheckRef says what is wrong with a ref's name. It is narrower than
// git-check-ref-format(1): ASCII letters, digits and `-_./+@#=`, so that no
// name can be an option, a path out of the folder, or two names on some file
// system.
func CheckRef(name string) error {
	bad := func(why string) error {
		return fault.New(fault.Unprocessable, "%q is no name for a ref: %s", clip(name), why).Mend("letters, digits and -_./+@#= in parts between slashes, as refs/heads/main")
	}
	if len(name) > maxRefName {
		return bad("it is too long")
	}
	parts := strings.Split(name, "/")
	if len(parts) < 3 || parts[0] != "refs" {
		return bad("it does not begin with refs/heads/ or the like")
	}
	for _, p := range parts {
		switch {
		case p == "":
			return bad("it has an empty part")
		case strings.HasPrefix(p, ".") || strings.HasSuffix(p, "."):
			return bad("a part begins or ends with a dot")
		case strings.HasPrefix(p, "-"):
			return bad("a part begins with a dash")
		case strings.HasSuffix(strings.ToLower(p), ".lock"):
			return bad("a part ends with .lock")
		case strings.Contains(p, "..") || strings.Contains(p, "@{") || p == "@":
			return bad("it has .. or @ in it as git does not allow")
		}
		for _, c := range []byte(p) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.+@#=", rune(c)) {
				return bad(fmt.Sprintf("it has %q in it", c))
			}
		}
	}
	return nil
}

// CheckPattern says what is wrong with branches that can be pushed to: a full ref, or
// all below one, as refs/heads/review/*.
func CheckPattern(p string) error {
	if !strings.HasPrefix(p, "refs/heads/") || CheckRef(strings.TrimSuffix(p, "/*")+"/x") != nil {
		return fault.New(fault.Unprocessable, "%q is no branch: refs/heads/NAME or refs/heads/NAME/*", clip(p))
	}
	return nil
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

// Refs is a copy of all refs.
func (s *Store) Refs() map[string]plumbing.Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refs)
}

// Ref is where one ref points, zero when it does not exist.
func (s *Store) Ref(name string) plumbing.Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refs[name]
}

// Mark points a ref of ours at a commit that the store has, whatever it was
// before; a zero hash takes it away. It returns when the disk has it.
func (s *Store) Mark(name string, h plumbing.Hash) error {
	s.land.Lock()
	defer s.land.Unlock()
	if !h.IsZero() {
		v := s.View()
		defer v.Close()
		if _, err := v.Commit(h); err != nil {
			return err
		}
	}
	return s.move([]Update{{Ref: name, Old: s.Ref(name), New: h}})
}

// move compares and swaps, all or nothing; the caller holds land.
func (s *Store) move(us []Update) error {
	next := s.Refs()
	for _, u := range us {
		if err := CheckRef(u.Ref); err != nil {
			return err
		}
		if was := next[u.Ref]; was != u.Old {
			return moved(u.Ref, u.Old, was)
		}
		if u.New.IsZero() {
			delete(next, u.Ref)
			continue
		}
		if _, there := next[u.Ref]; !there {
			for other := range next {
				if strings.HasPrefix(other, u.Ref+"/") || strings.HasPrefix(u.Ref, other+"/") {
					return fault.New(fault.Conflict, "%s cannot be beside %s", u.Ref, other)
				}
			}
		}
		next[u.Ref] = u.New
	}
	if len(next) > maxRefs {
		return fault.New(fault.TooLarge, "more than %d refs", maxRefs)
	}
	if err := s.writeRefs(next); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the refs cannot be written")
	}
	s.mu.Lock()
	s.refs = next
	s.mu.Unlock()
	return nil
}

func moved(ref string, old, was plumbing.Hash) error {
	say := func(h plumbing.Hash) string {
		if h.IsZero() {
			return "nothing"
		}
		return h.String()[:10]
	}
	return fault.New(fault.Conflict, "%s is at %s and not at %s", ref, say(was), say(old)).Mend("fetch first")
}

// writeRefs replaces packed-refs, the one file in which all refs stand.
func (s *Store) writeRefs(refs map[string]plumbing.Hash) error {
	var b bytes.Buffer
	b.WriteString("# pack-refs with: sorted \n")
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(&b, "%s %s\n", refs[name], name)
	}
	return s.replace(filepath.Join(s.cfg.Dir, "packed-refs"), b.Bytes())
}

// readRefs reads packed-refs, and takes in the loose refs that a git made here
// before this process started.
func (s *Store) readRefs() (map[string]plumbing.Hash, error) {
	dir := s.cfg.Dir
	refs := map[string]plumbing.Hash{}
	bad := func(format string, args ...any) error {
		return fault.New(fault.Corrupt, format, args...).At(filepath.Join(dir, "packed-refs"))
	}
	text, err := os.ReadFile(filepath.Join(dir, "packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Unavailable, err, "the refs cannot be read")
	}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' || line[0] == '^' {
			continue
		}
		id, name, ok := strings.Cut(line, " ")
		if !ok || !plumbing.IsHash(id) || CheckRef(name) != nil || len(refs) >= maxRefs {
			return nil, bad("line %d is no ref", n+1)
		}
		refs[name] = plumbing.NewHash(id)
	}
	return refs, s.takeLoose(refs)
}

func (s *Store) takeLoose(refs map[string]plumbing.Hash) error {
	dir := s.cfg.Dir
	var found []string
	err := filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		id := strings.TrimSpace(string(text))
		if !d.Type().IsRegular() || CheckRef(filepath.ToSlash(name)) != nil || !plumbing.IsHash(id) {
			return fault.New(fault.Corrupt, "this is no ref").At(path)
		}
		refs[filepath.ToSlash(name)] = plumbing.NewHash(id)
		found = append(found, path)
		return nil
	})
	if err != nil || len(found) == 0 {
		return err
	}
	if err := s.writeRefs(refs); err != nil {
		return err
	}
	for _, path := range found {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
