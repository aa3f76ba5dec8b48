package original

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestGlobs(t *testing.T) {
	tests := []struct {
		glob, name string
		want       bool
	}{
		{"web-*", "web-1", true}, {"web-*", "web-", true}, {"web-*", "a-web-1", false}, {"*/x", "a/b/x", true},
		{"a.c", "abc", false}, {"[ab]c", "bc", true}, {"[!ab]c", "bc", false}, {"[!ab]c", "cc", true},
		{"[", "[", true}, {"a[]", "a[]", true}, {`[\]x`, `\x`, true}, {"é?", "éa", true}, {"[[]", "[", true},
	}
	for _, tt := range tests {
		re, _, ok := Glob(tt.glob)
		if !ok || re.MatchString(tt.name) != tt.want {
			t.Errorf("%s over %s: ok %v", tt.glob, tt.name, ok)
		}
	}
	if _, exact, _ := Glob("api-server"); exact != "api-server" {
		t.Errorf("a name is taken for a glob")
	}
	if _, _, ok := Glob(strings.Repeat("a", 3000)); ok {
		t.Error("a target of 3000 bytes passes")
	}
}

// On plain stars and questions the standard library agrees.
func TestGlobsAgreeWithPathMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		glob := rapid.StringMatching(`[ab*?.]{1,8}`).Draw(t, "glob")
		name := rapid.StringMatching(`[ab.]{0,8}`).Draw(t, "name")
		want, _ := path.Match(glob, name)
		if strings.Trim(glob, "*") == "" {
			want = true
		}
		re, _, ok := Glob(glob)
		if got := re == nil || re.MatchString(name); !ok || got != want {
			t.Fatalf("%s over %q: %v, want %v", glob, name, got, want)
		}
	})
}
