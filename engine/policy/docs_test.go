package policy

import (
	"os"
	"strings"
	"testing"

	"vigil/engine/policy/lang"
)

// The page about expressions compiles, and leaves out no function and no reason.
func TestExpressionsPageIsTrue(t *testing.T) {
	b, err := os.ReadFile("../../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	n := 0
	for i, block := range strings.Split(page, "```expr\n")[1:] {
		code, _, _ := strings.Cut(block, "```")
		for line := range strings.Lines(code) {
			n++
			if _, issues := Compile(Spec{Match: "lat", Fire: line}); len(issues) > 0 {
				t.Errorf("block %d: %s: %v", i+1, line, issues)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d expressions were found", n)
	}
	window, scalar := lang.FunctionNames()
	for _, f := range append(window, scalar...) {
		if !strings.Contains(page, "`"+f) && !strings.Contains(page, " "+f+"`") && !strings.Contains(page, " "+f+" ") {
			t.Errorf("the function %s is left out", f)
		}
	}
	for _, r := range reasons {
		if !strings.Contains(page, r) {
			t.Errorf("the reason %s is left out", r)
		}
	}
}
