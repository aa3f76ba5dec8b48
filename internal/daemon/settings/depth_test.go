package settings

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"pgregory.net/rapid"
)

// TestDepthIsBounded: text that nests without end is refused at its line, before
// the parser sees it; brackets and dots in strings and comments are none.
func TestDepthIsBounded(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1)
	many := strings.Repeat("a.", maxDepth) + "a"
	for text, line := range map[string]int{
		"": 0, "a = 1": 0, "[a.b]\nc = [[1.5, 2.5], [3.5]]\n": 0,
		"x = 1\n\ny = " + deep:                       3,
		many + " = 1":                                1,
		"a = 1\n[" + many + "]":                      2,
		"a = {" + many + " = 1}":                     1,
		"a = '" + deep + "'":                         0,
		"a = \"" + deep + "\\\"" + deep + "\"":       0,
		"a = \"\"\"\n" + deep + "\"\n" + "\"\"\"":    0,
		"a = '''\n" + deep + "\\'''\nb = " + deep:    3,
		"# " + deep + many:                           0,
		"a = 1 # " + deep + "\nb = " + deep:          2,
		"a = \"x\nb = " + deep:                       2,
		"a = [" + strings.Repeat("1.5,", 100) + "1]": 0,
	} {
		if got := tooDeep(text, maxDepth); got != line {
			t.Errorf("%q: line %d, want %d", text, got, line)
		}
	}
	before := used(t)
	for _, text := range []string{strings.Repeat("[", MaxSize-4), "a = " + strings.Repeat("[", MaxSize-8), strings.Repeat("a.", MaxSize/2-4) + "a=1", "a = " + strings.Repeat("{a=", MaxSize/3-4)} {
		var into struct{}
		if is := Decode("f", []byte(text), &into); len(is) != 1 || !strings.Contains(is[0].Msg, "nested deeper") {
			t.Errorf("%.20q: %v", text, is)
		}
		if Readable([]byte(text)) {
			t.Errorf("%.20q is readable", text)
		}
	}
	if cpu := used(t) - before; cpu > 5*time.Second {
		t.Errorf("used %v of CPU", cpu)
	}
}

// used is the processor time of this process so far: how long something takes is the
// machine's business too.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestDepthAgreesWithTheParser: what the parser reads to no more than half the
// depth is never refused.
func TestDepthAgreesWithTheParser(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`([ab]{1,3}(\.[ab])? = ("[\[{.\\"]{0,4}"|'[\[{.#]{0,4}'|\[[1-3,]{0,4}\]|1\.5|\{a = 1\}) ?(#[\[."]*)?\n){0,6}`).Draw(rt, "text")
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err == nil && tooDeep(text, maxDepth) != 0 {
			rt.Fatalf("%q", text)
		}
	})
}
