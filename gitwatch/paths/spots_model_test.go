package paths

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// picture is what stands at a path, without following a link anywhere.
func picture(root, path string) string {
	rel, _ := strings.CutPrefix(path, root+"/")
	for i, c := range rel { // every folder on the way
		if c == '/' {
			if st, err := os.Lstat(filepath.Join(root, rel[:i])); err != nil || !st.IsDir() {
				return "nothing"
			}
		}
	}
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return "nothing"
	}
	out := fmt.Sprint(st.Ino, st.Mode)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		b, _ := os.ReadFile(path)
		out += string(b)
	case unix.S_IFLNK:
		to, _ := os.Readlink(path)
		out += to
	}
	return out
}

// TestSpots_NothingThatChangedIsLeftOut: after any burst of changes to a small
// tree, of which the folders come, go, move and become links, and of changes of
// the set between them, every spot that is not as it was has been told.
func TestSpots_NothingThatChangedIsLeftOut(t *testing.T) {
	root := t.TempDir()
	e := newEars(t, quick(), root)
	e.run(t)
	var every []string
	for _, a := range []string{"a", "b"} {
		every = append(every, a)
		for _, b := range []string{"a", "b"} {
			every = append(every, a+"/"+b)
			for _, c := range []string{"a", "b"} {
				every = append(every, a+"/"+b+"/"+c)
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		path := func() string { return filepath.Join(root, rapid.SampledFrom(every).Draw(r, "path")) }
		n := 0
		step := func() {
			p, q := path(), path()
			n++
			switch rapid.IntRange(0, 6).Draw(r, "do") {
			case 0:
				_ = os.MkdirAll(p, 0o755)
			case 1:
				_ = os.RemoveAll(p)
			case 2:
				_ = os.Rename(p, q)
			case 3:
				_ = os.Symlink(q, p)
			case 4:
				_ = os.Chmod(p, os.FileMode(0o700+n%8))
			default:
				_ = os.MkdirAll(filepath.Dir(p), 0o755)
				if st, err := os.Lstat(p); err != nil || st.Mode().IsRegular() {
					_ = os.WriteFile(p, fmt.Append(nil, n), 0o600)
				}
			}
		}
		for range rapid.IntRange(1, 4).Draw(r, "bursts") {
			var spots []Spot
			for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(every), 1, 6, rapid.ID).Draw(r, "spots") {
				spots = append(spots, Spot{Path: filepath.Join(root, p), Inside: rapid.IntRange(0, 3).Draw(r, "inside") == 0})
			}
			if err := e.Set(spots); err != nil {
				r.Fatal(err)
			}
			before := map[string]string{}
			for _, sp := range spots {
				before[sp.Path] = picture(root, sp.Path)
			}
			e.clear()
			for range rapid.IntRange(1, 12).Draw(r, "steps") {
				step()
			}
			for _, sp := range spots {
				if picture(root, sp.Path) != before[sp.Path] {
					e.hears(t, sp.Path)
				}
			}
			if e.Stats().Unwatched > 0 {
				r.Fatalf("%+v", e.Stats())
			}
		}
	})
}
