package scan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"vigil/api/ingest/scan"
)

// FuzzPass: what encoding/json takes for JSON within the depth is passed over,
// and nothing else is, but for the three literals of the original's parser.
func FuzzPass(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,"\u00e9\\",true,null]}`, `[[],{}]`, `"\ud83d\ude00"`, "01", "1.", "[1,]", `{"a" 1}`, "tru", "-Infinity", "\"\x01\"", " 1 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var arena []byte
		s := &scan.Scanner{Src: []byte(in), Arena: &arena}
		ok := s.Pass(0) && s.End()
		deep := strings.Count(in, "[")+strings.Count(in, "{") >= scan.MaxDepth
		if valid := json.Valid([]byte(in)); valid && !ok && !deep || ok && !valid && !strings.ContainsAny(in, "NI") {
			t.Fatalf("%q: passed %v, valid %v: %s", in, ok, valid, s.Err)
		}
		if s.Pos < 0 || s.Pos > len(in) {
			t.Fatalf("%q: stopped at %d", in, s.Pos)
		}
		if !ok && s.Err == "" {
			t.Fatalf("%q: refused without a word", in)
		}
	})
}
