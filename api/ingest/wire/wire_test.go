package wire

import "testing"

func TestSkipAndSpan(t *testing.T) {
	tests := []struct {
		name string
		in   string
		next int
		ok   bool
	}{
		{"varint", "\x08\x96\x01", 3, true},
		{"fixed64", "\x09\x00\x00\x00\x00\x00\x00\x00\x00", 9, true},
		{"fixed32", "\x0d\x00\x00\x00\x00", 5, true},
		{"bytes", "\x0a\x02ab", 4, true},
		{"empty bytes", "\x0a\x00", 2, true},
		{"bytes beyond the end", "\x0a\x03ab", 0, false},
		{"a length of 2^63", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 0, false},
		{"a length that never ends", "\x0a\xff\xff", 0, false},
		{"fixed64 cut short", "\x09\x00", 0, false},
		{"a group", "\x0b", 0, false},
		{"field zero", "\x00\x01", 0, false},
		{"an overlong tag", "\x8a\x00\x00", 0, false},
	}
	for _, tt := range tests {
		next, ok := Skip([]byte(tt.in), 0)
		if ok != tt.ok || ok && next != tt.next {
			t.Errorf("%s: %d %v, expected %d %v", tt.name, next, ok, tt.next, tt.ok)
		}
	}
	if from, to, ok := Span([]byte("\x02abc"), 0); !ok || from != 1 || to != 3 {
		t.Errorf("span %d %d %v", from, to, ok)
	}
	if _, _, ok := Span(nil, 0); ok {
		t.Error("a span of nothing")
	}
}
