package probe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNamesAreAllListed: a metric of a new kind that is not in Names could be
// pushed by anybody. Names are constants of names.go, and each is in the list but
// for those that must stay free for others who scrape.
func TestNamesAreAllListed(t *testing.T) {
	free := []string{nameScrapeUp, nameScrapeTook, nameScrapeCount, nameScrapeKept}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	consts := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, id := range n.Names {
					if !strings.HasPrefix(id.Name, "name") || len(n.Values) <= i {
						continue
					}
					lit, ok := n.Values[i].(*ast.BasicLit)
					if !ok || lit.Kind != token.STRING {
						continue
					}
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					consts++
					if listed := slices.Contains(Names(), text); listed == slices.Contains(free, text) {
						t.Errorf("%s: %s = %s is listed in Names: %v", file, id.Name, text, listed)
					}
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "metric" || len(n.Args) == 0 {
					return true
				}
				if lit, ok := n.Args[0].(*ast.BasicLit); ok {
					t.Errorf("%s: the metric %s is no constant of names.go", file, lit.Value)
				}
			}
			return true
		})
	}
	if consts != len(Names())+len(free) {
		t.Errorf("%d constants, %d names", consts, len(Names())+len(free))
	}
}
