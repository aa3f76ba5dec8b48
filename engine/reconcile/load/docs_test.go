package load_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"vigil/engine/reconcile/load"
)

// TestDocs_EveryExampleIsTaken: the examples of docs/documents.md, each as a tree
// of its own, by a host that trusts no commands.
func TestDocs_EveryExampleIsTaken(t *testing.T) {
	text, err := os.ReadFile("../../../docs/documents.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, b := range blocks {
		name := fmt.Sprintf("%d.yaml", i)
		files := tree(name, b[1])
		if strings.Contains(b[1], "kind: Vigil") {
			files = tree("vigil.yaml", b[1], "base/a.yaml", file("a", "/etc/a", "1"), "env/prod/b.yaml", "", "env/eu/b.yaml", "")
		}
		s, is := load.Load(files, load.Host{Name: "web1"}, trust(), load.Deps{})
		if len(is) > 0 || len(s.Items)+len(s.Documents) == 0 {
			t.Errorf("example %d: %v\n%s", i, is, b[1])
		}
	}
}
