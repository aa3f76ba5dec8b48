package series

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Key is a label set in one piece: each label once, in the encoding of
// [Item.Key], none with an empty value, in any order. It takes a fifth of the
// memory of Labels and holds one pointer, so it is how what lives as long as a
// series keeps labels. Immutable, safe to share. Bytes that are not such labels
// read as fewer labels, never as a panic.
type Key string

// Key is the labels in one piece, in their order.
func (ls Labels) Key() Key {
	n := 0
	for _, l := range ls {
		n += labelLen(l.Name, l.Value)
	}
	b := make([]byte, 0, n)
	for _, l := range ls {
		b = AppendLabel(b, l.Name, l.Value)
	}
	return Key(b)
}

// Labels are the labels, sorted. Their strings lie in the key: only the slice is
// made.
func (k Key) Labels() Labels {
	n := 0
	for l, rest := k.next(); l.Name != ""; l, rest = rest.next() {
		n++
	}
	return k.AppendTo(make(Labels, 0, n))
}

// AppendTo is Labels in memory of the caller's; ls must be empty.
func (k Key) AppendTo(ls Labels) Labels {
	sorted := true
	for l, rest := k.next(); l.Name != ""; l, rest = rest.next() {
		sorted = sorted && (len(ls) == 0 || ls[len(ls)-1].Name < l.Name)
		ls = append(ls, l)
	}
	if !sorted {
		slices.SortFunc(ls, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	}
	return ls
}

// Sorted is AppendTo for a key of unknown origin; ok says that it holds nothing but
// labels of valid UTF-8, each once, sorted and with a value, laid out as by
// [Labels.Key].
func (k Key) Sorted(ls Labels) (out Labels, ok bool) {
	last := ""
	for l, rest := k.next(); l.Name != ""; l, rest = rest.next() {
		if l.Name <= last || l.Value == "" || !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) || len(k)-len(rest) != labelLen(l.Name, l.Value) {
			return ls, false
		}
		ls, k, last = append(ls, l), rest, l.Name
	}
	return ls, len(k) == 0
}

// Get returns the value of a label, "" where it is absent. It allocates nothing.
func (k Key) Get(name string) string {
	for l, rest := k.next(); l.Name != ""; l, rest = rest.next() {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Name is the metric name, "" where there is none.
func (k Key) Name() string { return k.Get(NameLabel) }

// Equal reports whether the key holds these labels, whatever its order. It
// allocates nothing.
func (k Key) Equal(ls Labels) bool {
	n := 0
	for l, rest := k.next(); l.Name != ""; l, rest = rest.next() {
		if n++; n > len(ls) || l.Value == "" || ls.Get(l.Name) != l.Value {
			return false
		}
	}
	return n == len(ls)
}

// next is the first label and what follows it; a label without a name is the end.
func (k Key) next() (l Label, rest Key) {
	body, rest := k.piece()
	name, behind := Key(body).piece()
	value, _ := behind.piece()
	return Label{name, value}, rest
}

// piece is the first length-delimited field, "" where there is none.
func (k Key) piece() (body string, rest Key) {
	var n uint64
	for i := 1; i < len(k) && i <= binary.MaxVarintLen32; i++ {
		n |= uint64(k[i]&0x7f) << (7 * (i - 1))
		if k[i] < 0x80 {
			if k = k[i+1:]; n > uint64(len(k)) {
				break
			}
			return string(k[:n]), k[n:]
		}
	}
	return "", ""
}

// ParseKey decodes Item.Key into labels: sorted, checked to be UTF-8, without
// duplicates, empty values dropped. The strings lie in one copy of the key.
func ParseKey(raw []byte) (Labels, error) {
	key := string(raw)
	ls := make(Labels, 0, 8)
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
				l.Name = v
			case 0x12:
				l.Value = v
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
	if slices.ContainsFunc(ls, func(l Label) bool { return l.Value == "" }) {
		return New(ls...), nil
	}
	slices.SortFunc(ls, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	return ls, nil
}

// field reads one length-delimited protobuf field with the given tag byte.
func field(s string, tag byte) (body, rest string, ok bool) {
	if len(s) == 0 || s[0] != tag || tag&7 != 2 {
		return "", "", false
	}
	var head [binary.MaxVarintLen64]byte
	n, w := binary.Uvarint(head[:copy(head[:], s[1:])])
	if w <= 0 || n > uint64(len(s)-1-w) {
		return "", "", false
	}
	return s[1+w : 1+w+int(n)], s[1+w+int(n):], true
}
