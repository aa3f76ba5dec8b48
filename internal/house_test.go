// Package internal holds the tests that look at the house as a whole: its plan,
// the size of its rooms, its docs.
package internal

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the plan into docs/architecture.md")

// source is one Go file of the tree.
type source struct {
	path  string // slash path from the root of the module
	dir   string
	lines int
	test  bool
	ast   *ast.File
}

const module = "vigil"

// tree parses every Go file under root.
func tree(t *testing.T, root string) []source {
	t.Helper()
	var out []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		out = append(out, source{
			path: rel, dir: filepath.ToSlash(filepath.Dir(rel)),
			lines: strings.Count(string(text), "\n"),
			test:  strings.HasSuffix(name, "_test.go"), ast: f,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func imports(f *ast.File) []string {
	var out []string
	for _, s := range f.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// under reports whether an import path is the guest or lies in it.
func under(path, guest string) bool { return path == guest || strings.HasPrefix(path, guest+"/") }

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != module
}

func allows(r room, other string) bool {
	for _, o := range r.ours {
		if o == other || slices.Contains(groups[o], other) {
			return true
		}
	}
	return false
}

// doors names every import of the tree that the plan does not list.
func doors(plan []room, files []source) []string {
	byDir := map[string]room{}
	var guests []string
	for _, r := range plan {
		byDir[r.dir] = r
		guests = append(guests, r.guests...)
	}
	guests = append(guests, everywhere...)
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for _, f := range files {
		r, ok := byDir[f.dir]
		if !ok {
			say("%s: the room %s is not in the plan", f.path, f.dir)
			continue
		}
		for _, path := range imports(f.ast) {
			if standard(path) {
				continue
			}
			if other, ours := strings.CutPrefix(path, module+"/"); ours {
				switch to, known := byDir[other]; {
				case f.test || r.test:
				case !known:
					say("%s: imports %s, which is not in the plan", f.path, path)
				case to.test:
					say("%s: imports %s, which is for tests alone", f.path, path)
				case !allows(r, other):
					say("%s: %s may not import %s", f.path, f.dir, other)
				}
				continue
			}
			allowed := r.guests
			if f.test || r.test {
				allowed = guests
			}
			if !slices.ContainsFunc(allowed, func(g string) bool { return under(path, g) }) {
				say("%s: the library %s does not live in %s", f.path, path, f.dir)
			}
		}
	}
	return bad
}

func TestHouseImportsFollowThePlan(t *testing.T) {
	files := tree(t, "..")
	for _, b := range doors(plan, files) {
		t.Error(b)
	}
	there := map[string]bool{}
	for _, f := range files {
		there[f.dir] = true
	}
	for _, r := range plan {
		if !there[r.dir] {
			t.Errorf("the plan lists %s, which does not exist", r.dir)
		}
	}
}

func TestHouseImportsGoDown(t *testing.T) {
	byDir := map[string]room{}
	for _, r := range plan {
		byDir[r.dir] = r
	}
	for _, r := range plan {
		for _, o := range r.ours {
			rooms := groups[o]
			if rooms == nil {
				rooms = []string{o}
			}
			for _, name := range rooms {
				to, ok := byDir[name]
				if !ok {
					t.Errorf("%s may import %s, which is not a room", r.dir, name)
					continue
				}
				if to.floor > r.floor {
					t.Errorf("%s (floor %d) may import %s (floor %d): imports go down", r.dir, r.floor, name, to.floor)
				}
				// A wing may use its own sub-rooms and nothing else on its floor.
				if r.floor == 3 && to.floor == 3 && !r.test && !strings.HasPrefix(name, wing(r.dir)+"/") {
					t.Errorf("wings never see each other: %s may import %s", r.dir, name)
				}
			}
		}
	}
}

// wing is the first room of a wing: engine/tsdb for engine/tsdb/chunk.
func wing(dir string) string {
	parts := strings.Split(dir, "/")
	if parts[0] == "engine" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// TestHouseFindsAPlantedDoor plants what the plan forbids and expects it named.
func TestHouseFindsAPlantedDoor(t *testing.T) {
	tests := []struct{ name, path, src, want string }{
		{"upwards", "engine/series/x.go", `package series; import _ "vigil/engine"`, "engine/series may not import engine"},
		{"between wings", "engine/tsdb/x.go", `package tsdb; import _ "vigil/actions"`, "engine/tsdb may not import actions"},
		{"a guest in the wrong room", "engine/x.go", `package engine; import _ "modernc.org/sqlite"`, "the library modernc.org/sqlite does not live in engine"},
		{"a room without a place", "util/x.go", `package util`, "the room util is not in the plan"},
		{"a test room in the program", "actions/x.go", `package actions; import _ "vigil/actions/actiontest"`, "for tests alone"},
		{"a library nobody listed", "api/x_test.go", `package api; import _ "example.com/mock"`, "example.com/mock does not live in api"},
		{"a prefix is not a path", "gitwatch/paths/x.go", `package paths; import _ "github.com/fsnotify/fsnotifyx"`, "does not live in gitwatch/paths"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), tt.path, tt.src, 0)
			if err != nil {
				t.Fatal(err)
			}
			s := source{path: tt.path, dir: filepath.Dir(tt.path), test: strings.HasSuffix(tt.path, "_test.go"), ast: f}
			got := strings.Join(doors(plan, []source{s}), "\n")
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want it to name %q", got, tt.want)
			}
		})
	}
}

// TestHouseSizes: files none over 700 lines, nine in ten under 400, median at
// most 150; a package under 1,500 lines without its tests.
func TestHouseSizes(t *testing.T) {
	var all []int
	rooms := map[string]int{}
	for _, f := range tree(t, "..") {
		if f.lines > 700 {
			t.Errorf("%s has %d lines: none may have over 700", f.path, f.lines)
		}
		if !f.test {
			all = append(all, f.lines)
			rooms[f.dir] += f.lines
		}
	}
	slices.Sort(all)
	if m := all[len(all)/2]; m > 150 {
		t.Errorf("the median file has %d lines, at most 150", m)
	}
	if p := all[len(all)*9/10]; p >= 400 {
		t.Errorf("nine in ten files must be under 400 lines; the 90th percentile is %d", p)
	}
	for dir, n := range rooms {
		if n >= 1500 {
			t.Errorf("%s has %d lines: split it by verb before 1,500", dir, n)
		}
	}
}

// TestHouseManners: no sleep and no skip in a test, no init, package comments
// of at most 25 lines, and one in every room.
func TestHouseManners(t *testing.T) {
	comments := map[string]int{}
	program := map[string]bool{}
	for _, f := range tree(t, "..") {
		if f.ast.Doc != nil && !f.test {
			n := strings.Count(f.ast.Doc.Text(), "\n")
			comments[f.dir] += n
			if n > 25 {
				t.Errorf("%s: the package comment has %d lines, at most 25", f.path, n)
			}
		}
		program[f.dir] = program[f.dir] || !f.test
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init hides what starts when", f.path)
			}
		}
		if !f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			on, _ := sel.X.(*ast.Ident)
			switch {
			case on != nil && on.Name == "time" && sel.Sel.Name == "Sleep" && !inBubble(f.ast):
				t.Errorf("%s: a test sleeps; wait for a condition instead", f.path)
			case on != nil && len(on.Name) <= 2 && (sel.Sel.Name == "Skip" || sel.Sel.Name == "Skipf" || sel.Sel.Name == "SkipNow"):
				t.Errorf("%s: a test skips itself; a test that cannot run must fail", f.path)
			}
			return true
		})
	}
	for dir, isProgram := range program {
		if isProgram && comments[dir] == 0 {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// inBubble: inside testing/synctest a sleep moves a virtual clock and waits for
// nobody.
func inBubble(f *ast.File) bool { return slices.Contains(imports(f), "testing/synctest") }
