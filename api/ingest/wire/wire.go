// Package wire walks the protobuf wire format: where a length-delimited field
// lies, and where the field after one begins.
//
// It refuses to know any message, to allocate, and everything malformed: a
// length beyond the text, groups, overlong tags. It does nothing by itself.
//
// Format: https://protobuf.dev/programming-guides/encoding/
package wire

import (
	"encoding/binary"
	"math"
)

// Span is the body of a length-delimited field whose length is at pos.
func Span(src []byte, pos int) (from, to int, ok bool) {
	if pos < len(src) && src[pos] < 0x80 { // nearly all
		from, to = pos+1, pos+1+int(src[pos])
		return from, to, to <= len(src)
	}
	n, w := binary.Uvarint(src[min(pos, len(src)):])
	if w <= 0 || n > uint64(len(src)-pos-w) {
		return 0, 0, false
	}
	return pos + w, pos + w + int(n), true
}

// Skip passes over the field at pos, whatever it is. Groups are refused: no
// message here ever had one.
func Skip(src []byte, pos int) (next int, ok bool) {
	tag, w := binary.Uvarint(src[pos:])
	if w <= 0 || tag>>3 == 0 || tag > math.MaxUint32 {
		return 0, false
	}
	if w > 1 && tag < 0x80 { // an overlong tag would hide a label from its key
		return 0, false
	}
	pos += w
	switch tag & 7 {
	case 0:
		_, w := binary.Uvarint(src[pos:])
		return pos + w, w > 0
	case 1:
		return pos + 8, len(src)-pos >= 8
	case 2:
		_, to, ok := Span(src, pos)
		return to, ok
	case 5:
		return pos + 4, len(src)-pos >= 4
	}
	return 0, false
}
