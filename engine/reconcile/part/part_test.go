package part_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/reconcile/part"
)

type values = map[string]any

func keys(t testing.TB, format string, v values) part.Part {
	t.Helper()
	p, err := part.Keys(format, v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fields(p part.Part) []string { return slices.Sorted(maps.Keys(p.Want())) }

// TestPart_EditsJustItsOwn: what belongs to others keeps its place, its comments
// and its spelling.
func TestPart_EditsJustItsOwn(t *testing.T) {
	block, err := part.Block("web", "#", "a\nb")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := part.Lines([]string{"x y", "z"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file, want, gone string
		p                      part.Part
	}{
		{"block, new", "1", "1\n# BEGIN vigil web\na\nb\n# END vigil web\n", "1", block},
		{"block, old", "1\n# BEGIN vigil web\nold\n# END vigil web\n2\n", "1\n# BEGIN vigil web\na\nb\n# END vigil web\n2\n", "1\n2\n", block},
		{"lines", "q\nz\n", "q\nz\nx y\n", "q\n", lines},
		{"json", "{\n\t\"b\": 1.50,\n\t\"a\": {\"x\": 1}\n}\n", "{\n\t\"b\": 1.50,\n\t\"a\": {\n\t\t\"x\": true,\n\t\t\"l\": [1,\"<\"]\n\t}\n}\n",
			"{\n\t\"b\": 1.50,\n\t\"a\": {}\n}\n", keys(t, "json", values{"a": values{"x": true, "l": []any{1.0, "<"}}})},
		{"yaml", "# top\na: # of a\n  x: 1 # old\n  y: keep\nb: [1, 2]\n", "# top\na: # of a\n  x: new # old\n  y: keep\nb: [1, 2]\n",
			"# top\na: # of a\n  y: keep\nb: [1, 2]\n", keys(t, "yaml", values{"a": values{"x": "new"}})},
		{"toml", "top = 1\n\n[s]\n# c\nk = 'old' # why\nl = [\n  1,\n  2, # two\n]\n[[t]]\nk = 3\n",
			"top = 1\n\n[s]\n# c\nk = \"new\" # why\nl = [1, 3]\nm = 2.5\n[[t]]\nk = 3\n[u.v]\nw = true\n",
			"top = 1\n\n[s]\n# c\n[[t]]\nk = 3\n", keys(t, "toml", values{"s": values{"k": "new", "l": []any{1.0, 3.0}, "m": 2.5}, "u": values{"v": values{"w": true}}})},
		{"ini", "; c\n[a]\nk=1\nflag\n[b]\nk = 2\n", "; c\n[a]\nk=7\nflag\n[b]\nk = 2\nn = x = y\n", "; c\n[a]\nflag\n[b]\nk = 2\n",
			keys(t, "ini", values{"a": values{"k": 7.0}, "b": values{"n": "x = y"}})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.p.Edit([]byte(tt.file), fields(tt.p), false)
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "json" { // the list is spread out by the indent
				got = bytes.ReplaceAll(got, []byte("[\n\t\t\t1,\n\t\t\t\"<\"\n\t\t]"), []byte(`[1,"<"]`))
			}
			if d := cmp.Diff(tt.want, string(got)); d != "" {
				t.Error(d)
			}
			settled(t, tt.p, got)
			gone, err := tt.p.Edit([]byte(tt.file), fields(tt.p), true)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.gone, string(gone)); d != "" {
				t.Errorf("absent: %s", d)
			}
			if seen, err := tt.p.Read(gone); err != nil || len(seen) != 0 {
				t.Errorf("after it was taken away: %v, %v", seen, err)
			}
		})
	}
}

// settled: what was edited reads back as wanted, and a second edit changes no byte.
func settled(t testing.TB, p part.Part, file []byte) {
	t.Helper()
	seen, err := p.Read(file)
	if err != nil {
		t.Fatalf("%v in %q", err, file)
	}
	if d := cmp.Diff(p.Want(), seen); d != "" {
		t.Fatalf("%s in %q", d, file)
	}
	again, err := p.Edit(file, fields(p), false)
	if err != nil {
		t.Fatal(err)
	}
	more, err := p.Edit(again, fields(p), false)
	if err != nil || !bytes.Equal(again, more) {
		t.Fatalf("a further edit changed %q to %q, %v", again, more, err)
	}
}

// TestPart_AnyFileConverges: for any values and any file that is understood.
func TestPart_AnyFileConverges(t *testing.T) {
	name := rapid.StringMatching(`[a-z]{1,3}`)
	scalar := rapid.OneOf(
		rapid.Map(rapid.StringMatching(`[ -~]{0,8}`), func(s string) any { return strings.TrimSpace(s) }),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }))
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]string{"json", "yaml", "toml", "ini"}).Draw(t, "format")
		draw := func(label string) values {
			v := values{}
			for range rapid.IntRange(1, 3).Draw(t, label) {
				inner := values{}
				for range rapid.IntRange(1, 3).Draw(t, label+" inner") {
					inner[name.Draw(t, "key")] = scalar.Draw(t, "value")
				}
				v[name.Draw(t, "section")] = inner
			}
			return v
		}
		p, err := part.Keys(format, draw("wanted"))
		if err != nil {
			t.Fatal(err)
		}
		other, err := part.Keys(format, draw("there"))
		if err != nil {
			t.Fatal(err)
		}
		file, err := other.Edit(nil, slices.Sorted(maps.Keys(other.Want())), false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Edit(file, slices.Sorted(maps.Keys(p.Want())), false)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := p.Read(got)
		if err != nil || !maps.Equal(seen, p.Want()) {
			t.Fatalf("%q became %q and reads %v, want %v (%v)", file, got, seen, p.Want(), err)
		}
		theirs, err := other.Read(got)
		if err != nil {
			t.Fatal(err)
		}
		for f, v := range other.Want() {
			if _, ours := p.Want()[f]; !ours && theirs[f] != v {
				t.Fatalf("%s of others was %s and is %s in %q", f, v, theirs[f], got)
			}
		}
	})
}

// TestPart_RefusesWhatItDoesNotUnderstand rather than guess.
func TestPart_RefusesWhatItDoesNotUnderstand(t *testing.T) {
	block, _ := part.Block("w", "#", "x")
	for _, tt := range []struct {
		p          part.Part
		file, says string
	}{
		{block, "# BEGIN vigil w\n", "without its end"},
		{block, "# END vigil w\n", "without its begin"},
		{block, "# BEGIN vigil w\n# END vigil w\n# BEGIN vigil w\n# END vigil w\n", "twice"},
		{keys(t, "json", values{"a": 1.0}), `{"a": 1, "a": 2}`, "twice"},
		{keys(t, "json", values{"a": 1.0}), `[1]`, "no object"},
		{keys(t, "json", values{"a": 1.0}), strings.Repeat(`{"a":`, 100), "deeper"},
		{keys(t, "yaml", values{"a": 1.0}), "a: &x 1\nb: *x\n", "alias"},
		{keys(t, "yaml", values{"a": 1.0}), "- 1\n", "no mapping"},
		{keys(t, "yaml", values{"a": 1.0}), "a: 1\n---\nb: 1\n", "more than one document"},
		{keys(t, "toml", values{"a": 1.0}), "a = 1\na = 2\n", "twice"},
		{keys(t, "toml", values{"a": 1.0}), "b = [1,\n", "no end"},
		{keys(t, "toml", values{"a": 1.0}), "what\n", "no key"},
		{keys(t, "ini", values{"s": values{"a": 1.0}}), "[s]\na=1\na=2\n", "twice"},
	} {
		if _, err := tt.p.Read([]byte(tt.file)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.file, err, tt.says)
		}
	}
	for _, err := range []error{
		second(part.Block("", "#", "")), second(part.Block("a", "#", "# END vigil a\n")), second(part.Lines([]string{"a\nb"})),
		second(part.Lines(nil)), second(part.Lines([]string{"a", "a"})), second(part.Keys("xml", values{"a": 1.0})),
		second(part.Keys("ini", values{"a": "b\nc"})), second(part.Keys("ini", values{"a": values{"b": values{"c": 1.0}}})),
		second(part.Keys("toml", values{"a=b": 1.0})), second(part.Keys("toml", values{"a": nil})),
	} {
		if err == nil {
			t.Error("a part that cannot be was taken")
		}
	}
}

// TestPart_HostileFilesCostNoMoreThanTheirBytes: what grows with the square of a
// file would not end here.
func TestPart_HostileFilesCostNoMoreThanTheirBytes(t *testing.T) {
	many := func(s string) []byte { return []byte(strings.Repeat(s, 1<<20/len(s))) }
	for format, files := range map[string][][]byte{
		"toml": {append([]byte("a = \"\"\"\n"), many("x\n")...), append([]byte("a = [\n"), many("1,\n")...), append([]byte("a = "), many("[")...), append([]byte("a = "), many("'x' ")...), append([]byte("a = "), many("[]")...)},
		"ini":  {many("[\n"), many("k=v\n"), many("[s]\n")},
		"json": {many("["), many(`{"a":`), append([]byte(`{"a":[`), many("1,")...)},
		"yaml": {many("["), many("- "), many("{a: ")},
	} {
		p := keys(t, format, values{"s": values{"k": "v"}})
		for _, f := range files {
			_, _ = p.Read(f)
		}
	}
}

func second(_ part.Part, err error) error { return err }

// FuzzRead: no bytes make a reader panic or an edit unreadable.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "a = 1\n[s]\nb = '''x\n'''", "{\"a\":{}}", "a: {b: c}\n", "[[x]]\n", "\"\"\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, format := range []string{"json", "yaml", "toml", "ini"} {
			p := keys(t, format, values{"s": values{"k": "v", "n": 1.0}})
			if _, err := p.Read(file); err != nil {
				continue
			}
			got, err := p.Edit(file, fields(p), false)
			if err != nil {
				continue
			}
			if seen, err := p.Read(got); err != nil || !maps.Equal(seen, p.Want()) {
				t.Errorf("%s: %q became %q, which reads %v, %v", format, file, got, seen, err)
			}
		}
	})
}
