package load_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"vigil/engine/reconcile/load"
	"vigil/engine/reconcile/sealed"
)

// TestDocs_EveryExampleIsTaken: the examples of docs/documents.md, each as a tree of
// its own, by a host that trusts no commands; one that it refuses stands in a section
// that says what it needs, and is taken by a host that gives it.
func TestDocs_EveryExampleIsTaken(t *testing.T) {
	data, err := os.ReadFile("../../../docs/documents.md")
	if err != nil {
		t.Fatal(err)
	}
	box, secret := sealing(t)
	text := string(data)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatchIndex(text, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, b := range blocks {
		example := text[b[2]:b[3]]
		name := fmt.Sprintf("%d.yaml", i)
		files := tree(name, strings.ReplaceAll(example, `"-----BEGIN AGE ENCRYPTED FILE-----..."`, secret))
		if strings.Contains(example, "kind: Vigil") {
			files = tree("vigil.yaml", example, "base/a.yaml", file("a", "/etc/a", "1"), "env/prod/b.yaml", "", "env/eu/b.yaml", "")
		}
		deps, tr := load.Deps{Box: box}, trust()
		s, is := load.Load(files, load.Host{Name: "web1"}, tr, deps)
		before := text[max(0, strings.LastIndex(text[:b[0]], "\n#")):b[0]] // of its section
		if len(is) > 0 && strings.Contains(before, "`git.trust_commands = true`") && strings.Contains(is.Error(), "trust_commands") {
			tr.Commands = true
			s, is = load.Load(files, load.Host{Name: "web1"}, tr, deps)
		}
		if len(is) > 0 || len(s.Items)+len(s.Documents) == 0 {
			t.Errorf("example %d: %v\n%s", i, is, example)
		}
	}
}

// sealing gives a box and something sealed for it, as a value of YAML.
func sealing(t *testing.T) (*sealed.Box, string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	box, err := sealed.New(id.String())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("token")); err != nil || w.Close() != nil || a.Close() != nil {
		t.Fatal(err)
	}
	return box, strconv.Quote(b.String())
}
