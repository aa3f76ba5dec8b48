package session

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// hostile is a name that takes over a terminal's title, colors what follows,
// turns a line around and hides the rest.
const hostile = "a\x1b]0;t\x07\x1b[31m\r\n\u202eb\u2066\u009b31m\u200b\u2028\U000e0041\ufeffż"

// TestPrint_NothingHostileReachesTheTerminal: names and reasons come from whoever
// may push a sample. What a program reads as JSON is still the same text.
func TestPrint_NothingHostileReachesTheTerminal(t *testing.T) {
	visible := func(t *testing.T, out string) {
		t.Helper()
		for _, r := range out {
			if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
				t.Errorf("%U in %q", r, out)
			}
		}
	}
	var b bytes.Buffer
	s := &Session{}
	s.Out = &b
	if err := s.Table([]string{"NAME"}, [][]string{{hostile}}); err != nil {
		t.Fatal(err)
	}
	visible(t, b.String())

	b.Reset()
	s.Output = "json"
	if err := s.Print(map[string]string{"name": hostile}, nil); err != nil {
		t.Fatal(err)
	}
	visible(t, b.String())
	same(t, b.Bytes())
}

// TestEscaped_TakesRunesInPieces: an export arrives as the network cuts it.
func TestEscaped_TakesRunesInPieces(t *testing.T) {
	var in, out bytes.Buffer
	if err := json.NewEncoder(&in).Encode(map[string]string{"name": hostile}); err != nil {
		t.Fatal(err)
	}
	e := &Escaped{To: &out}
	for _, c := range in.Bytes() {
		if n, err := e.Write([]byte{c}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if strings.ContainsAny(out.String(), "\u202e\u009b\u200b") || !strings.Contains(out.String(), "ż") {
		t.Errorf("%q", out.String())
	}
	same(t, out.Bytes())
}

func same(t *testing.T, b []byte) {
	t.Helper()
	var got map[string]string
	if err := json.Unmarshal(b, &got); err != nil || got["name"] != hostile {
		t.Errorf("read back %q, %v", got["name"], err)
	}
}
