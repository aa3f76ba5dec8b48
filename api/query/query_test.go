package query_test

import (
	"strings"
	"testing"

	"vigil/api/query"
)

// TestUnknownParametersAreRefused: by name, with the nearest and all that there
// are; nothing of a value is repeated, and what cannot be read is not left out.
func TestUnknownParametersAreRefused(t *testing.T) {
	known := query.Of("status", "limit", "page")
	for _, c := range []struct {
		name  string
		known query.Known
		raw   string
		want  []string // parts of the error; none: taken
	}{
		{"nothing", known, "", nil},
		{"known ones", known, "limit=5&page=2&status=", nil},
		{"a known one twice", known, "limit=5&limit=6", []string{"query.limit: ", "more than once"}},
		{"twice the same", known, "page=1&limit=5&limit=5", []string{"query.limit: "}},
		{"twice in two spellings", known, "limit=5&li%6Dit=5", []string{"query.limit: "}},
		{"a known one, escaped", known, "li%6Dit=5", nil},
		{"a mistype", known, "limt=5", []string{"query.limt: ", "did you mean limit?", "limit, page, status"}},
		{"another case", known, "Limit=5", []string{"query.Limit: ", "did you mean limit?"}},
		{"nothing near", known, "sort=asc", []string{"query.sort: ", "takes limit, page, status"}},
		{"without a value", known, "verbose", []string{"query.verbose: "}},
		{"where there are none", query.Of(), "x=1", []string{"query.x: ", "takes none"}},
		{"two at once", known, "a=1&limit=3&b=2", []string{"query.a: ", "query.b: "}},
		{"what cannot be read", known, "limit=5%zz", []string{"cannot be read"}},
		{"parameters joined by a semicolon", known, "limit=5;page=2", []string{"cannot be read"}},
		{"a name that is no text", known, "%ff%fe=1", []string{"query."}},
	} {
		err := c.known.Check(c.raw)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", c.name, err, w)
			}
		}
	}
	if err := known.Check("tokn=hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a value under a wrong name is repeated, or taken: %v", err)
	}
	many := strings.Repeat("x", 200) + "=1"
	for i := range 1000 {
		many += "&" + strings.Repeat("y", i%50) + string(rune('a'+i%26)) + "=1"
	}
	if err := known.Check(many); err == nil || len(err.Error()) > 2000 {
		t.Errorf("an answer to 1000 wrong names has %d bytes", len(err.Error()))
	}
}
