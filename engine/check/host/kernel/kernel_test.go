package kernel

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestNumberIsParseFloat: on what the kernel writes, Number is strconv's.
func TestNumberIsParseFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?[0-9]{1,15}(\.[0-9]{1,9})?`).Draw(t, "s")
		want, err := strconv.ParseFloat(s, 64)
		got, ok := Number([]byte(s))
		if err != nil || !ok || got-want > 1e-9*max(1, want, -want) || want-got > 1e-9*max(1, want, -want) {
			t.Fatalf("%s is %v (%v), want %v", s, got, ok, want)
		}
	})
	for _, bad := range []string{"", "-", "x", "1x", "1.2.3", "0x1", "1e3", "NaN"} {
		if _, ok := Number([]byte(bad)); ok {
			t.Errorf("%q passes for a number", bad)
		}
	}
}

// TestFields: Field and Line take a text apart as strings.Fields and Split do.
func TestFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab \t\n"))).Draw(t, "text")
		var got []string
		for rest := []byte(text); ; {
			var w []byte
			if w, rest = Field(rest); len(w) == 0 {
				break
			}
			got = append(got, string(w))
		}
		if strings.Join(got, "|") != strings.Join(strings.Fields(text), "|") {
			t.Fatalf("%q gave %q", text, got)
		}
		n := 0
		for rest := []byte(text); len(rest) > 0; n++ {
			_, rest = Line(rest)
		}
		if want := len(strings.SplitAfter(strings.TrimSuffix(text, "\n")+"\n", "\n")) - 1; text != "" && n != want {
			t.Fatalf("%q has %d lines, want %d", text, n, want)
		}
	})
}

// TestReaderGrows: a file larger than the buffer comes whole, one over the cap
// not at all, and the buffer is used again.
func TestReaderGrows(t *testing.T) {
	dir, r := t.TempDir(), NewReader()
	for _, n := range []int{0, 1, 16 << 10, 100_000, maxFile + 1, 10} {
		p := filepath.Join(dir, "f")
		if err := os.WriteFile(p, []byte(strings.Repeat("x", n)), 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := r.Read(p)
		if n > maxFile != (err != nil) || err == nil && len(b) != n {
			t.Errorf("%d bytes gave %d, %v", n, len(b), err)
		}
	}
	if _, err := r.Read(dir + "/none"); err == nil {
		t.Error("a missing file was read")
	}
}

// TestVecIsBoundedAndValid: a flood of names does not grow the cache for ever,
// and what the kernel names with any bytes is UTF-8 in a label.
func TestVecIsBoundedAndValid(t *testing.T) {
	v := NewVec("m", "device")
	for i := range 3 * MaxCached {
		v.At(strconv.AppendInt(nil, int64(i), 10))
	}
	if len(v.made) > MaxCached {
		t.Errorf("%d label sets are kept", len(v.made))
	}
	if d := v.At([]byte("disk\xff\xfe")).Get("device"); !utf8.ValidString(d) || !strings.HasPrefix(d, "disk") {
		t.Errorf("the label is %q", d)
	}
	a, b := newPair().At([]byte("a"), []byte("bc")), newPair().At([]byte("ab"), []byte("c"))
	if a.Equal(b) {
		t.Error("two label sets run together")
	}
}

func newPair() *Vec { return NewVec("m", "x", "y") }
