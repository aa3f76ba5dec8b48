package kustomize

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestDocs_KustomizationsAreTaken: the example of docs/documents.md, each file at
// its path, for the host that it speaks of and for another.
func TestDocs_KustomizationsAreTaken(t *testing.T) {
	text, err := os.ReadFile("../../../docs/documents.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml files\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 1 {
		t.Fatalf("%d examples", len(blocks))
	}
	name := regexp.MustCompile(`(?m)^# (\S+\.yaml)\n`)
	body := blocks[0][1]
	var files []string
	marks := name.FindAllSubmatchIndex(body, -1)
	for i, m := range marks {
		end := len(body)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		files = append(files, string(body[m[2]:m[3]]), string(body[m[1]:end]))
	}
	for host, want := range map[string][]string{"web1": {"File/shop-motd", "Service/shop-web"}, "db1": {"File/motd", "Service/web"}} {
		s, err := readFor(host, files...)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		var got []string
		for _, it := range s.Items {
			got = append(got, it.Key().Ref())
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}
