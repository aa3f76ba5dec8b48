package internal

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vigil/engine/ledger/conform"
)

// testNames is every test, fuzz target and benchmark of the tree, and every check
// that a ledger is put through.
func testNames(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, f := range tree(t, "..") {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && named.MatchString(fn.Name.Name) {
				out = append(out, fn.Name.Name)
			}
		}
	}
	for _, c := range conform.Checks() { // one list, run by a test of each ledger
		out = append(out, "TestLedgerConforms/"+c.Name)
	}
	return out
}

var (
	named  = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z0-9]\w*$`)
	quoted = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z0-9]\\w*(?:/[A-Z]\\w*)?)`")
)

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPromisesNameTests: a promise is held by a test that exists, by a command,
// or it says "not yet".
func TestPromisesNameTests(t *testing.T) {
	known := testNames(t)
	for i, line := range strings.Split(readDoc(t, "../docs/promises.md"), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Promise") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		held := cells[len(cells)-1]
		tests := quoted.FindAllStringSubmatch(held, -1)
		if len(cells) < 2 || len(tests) == 0 && !strings.Contains(held, "not yet") && !strings.Contains(held, "`") {
			t.Errorf("docs/promises.md:%d: nothing holds this promise", i+1)
		}
		for _, m := range tests {
			if !slices.Contains(known, m[1]) {
				t.Errorf("docs/promises.md:%d: there is no %s", i+1, m[1])
			}
		}
	}
}

var invariant = regexp.MustCompile(`^(\d+)\. `)

// TestInvariantsNameTests: invariants are numbered from 1 without a gap, and
// each names tests that exist.
func TestInvariantsNameTests(t *testing.T) {
	known := testNames(t)
	n := 0
	for _, para := range strings.Split(readDoc(t, "../docs/invariants.md"), "\n") {
		m := invariant.FindStringSubmatch(para)
		if m == nil {
			continue
		}
		n++
		tests := quoted.FindAllStringSubmatch(para, -1)
		if len(tests) == 0 {
			t.Errorf("invariant %s names no test on its line", m[1])
		}
		for _, q := range tests {
			if !slices.Contains(known, q[1]) {
				t.Errorf("invariant %s: there is no %s", m[1], q[1])
			}
		}
	}
	if n == 0 {
		t.Error("docs/invariants.md lists nothing")
	}
}

// TestDocsNameTestsThatExist: on every page, since a reader runs them.
func TestDocsNameTestsThatExist(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	known := testNames(t)
	for _, p := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		for _, m := range quoted.FindAllStringSubmatch(readDoc(t, p), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s: there is no %s", strings.TrimPrefix(p, "../"), m[1])
			}
		}
	}
}

var fileName = regexp.MustCompile("`([a-z][\\w./-]*\\.(?:go|md|toml))`")

// TestDocsNameFilesThatExist: a page that leads a newcomer to a file that has
// moved is worse than none.
func TestDocsNameFilesThatExist(t *testing.T) {
	for _, doc := range []string{"docs/tour.md", "docs/architecture.md", "README.md", "CONTRIBUTING.md", "docs/policy-defaults.md"} {
		for _, m := range fileName.FindAllStringSubmatch(readDoc(t, "../"+doc), -1) {
			if strings.HasPrefix(m[1], "try/") || strings.HasPrefix(m[1], "desired/") || m[1] == "vigil.toml" {
				continue // what the reader makes
			}
			if _, err := os.Stat("../" + m[1]); err != nil {
				t.Errorf("%s names %s: %v", doc, m[1], err)
			}
		}
	}
}
