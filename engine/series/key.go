package series

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// ParseKey decodes Item.Key into labels: sorted, checked to be UTF-8, without
// duplicates, empty values dropped. The strings are copies.
func ParseKey(key []byte) (Labels, error) {
	var ls []Label
	seen := func(name string) bool {
		for _, l := range ls {
			if l.Name == name {
				return true
			}
		}
		return false
	}
	for len(key) > 0 {
		body, rest, ok := field(key, 0x0a)
		if !ok {
			return nil, fmt.Errorf("labels: malformed label")
		}
		key = rest
		var l Label
		for len(body) > 0 {
			tag := body[0]
			v, rest, ok := field(body, tag)
			if !ok {
				return nil, fmt.Errorf("labels: malformed label field")
			}
			body = rest
			switch tag {
			case 0x0a:
				l.Name = string(v)
			case 0x12:
				l.Value = string(v)
			}
		}
		switch {
		case l.Name == "":
			return nil, fmt.Errorf("labels: a label has no name")
		case !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value):
			return nil, fmt.Errorf("labels: %q is not valid UTF-8", l.Name)
		case seen(l.Name):
			return nil, fmt.Errorf("labels: %q is given twice", l.Name)
		}
		ls = append(ls, l)
	}
	return New(ls...), nil
}

// field reads one length-delimited protobuf field with the given tag byte.
func field(b []byte, tag byte) (body, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != tag || tag&7 != 2 {
		return nil, nil, false
	}
	n, w := binary.Uvarint(b[1:])
	if w <= 0 || n > uint64(len(b)-1-w) {
		return nil, nil, false
	}
	return b[1+w : 1+w+int(n)], b[1+w+int(n):], true
}
