package internal

import (
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
)

const (
	planBegin = "<!-- the plan: written by `go test ./internal -run TestHousePlan -update` -->\n"
	planEnd   = "<!-- end of the plan -->\n"
)

// rendered is the plan as the table of docs/architecture.md.
func rendered() string {
	var b strings.Builder
	b.WriteString("| floor | room | may import (ours) | guests |\n|---|---|---|---|\n")
	for _, r := range plan {
		ours, guests := strings.Join(r.ours, ", "), strings.Join(r.guests, ", ")
		if r.test {
			ours, guests = "anything; imported by tests alone", "any that is listed"
		}
		name := r.dir
		if name == "." {
			name = "vigild.go"
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", r.floor, name, dash(ours), dash(guests))
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestHousePlanIsTheDocumentedOne: changing the plan means changing the table
// that people read, in the same commit.
func TestHousePlanIsTheDocumentedOne(t *testing.T) {
	file := path.Join("..", "docs", "architecture.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	before, rest, ok := strings.Cut(text, planBegin)
	table, after, ok2 := strings.Cut(rest, planEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no plan between its markers", file)
	}
	if table == rendered() {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+planBegin+rendered()+planEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s shows another plan than this test holds; run `go test ./internal -run TestHousePlan -update` and commit both", file)
}
