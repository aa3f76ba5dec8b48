// Package series is what was measured: labels, samples, selectors and the
// windows over them.
//
// A series is its sorted label set, `__name__` included; an empty value is an
// absent label; there is no host label. A sample is int64 Unix milliseconds and
// a float64. Ranges are half-open, (t-w, t].
//
// It refuses I/O, clocks and knowledge of policies. Values of this package are
// not safe for concurrent mutation; immutable ones (Labels, Selector) are safe
// to share.
package series

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// NameLabel is the label that holds the metric name.
const NameLabel = "__name__"

// OriginLabel marks, with value OriginOpen, a series written by a caller that
// was not authenticated.
const (
	OriginLabel = "origin"
	OriginOpen  = "open"
)

// Label is one name and value.
type Label struct{ Name, Value string }

// Labels are sorted by name (bytewise), with no duplicate name and no empty
// value. Treat them as immutable.
type Labels []Label

// New sorts labels and drops those with an empty value; of two with one name
// the last wins.
func New(ls ...Label) Labels {
	out := slices.Clone(ls)
	slices.SortStableFunc(out, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	n := 0
	for i, l := range out {
		if i+1 < len(out) && out[i+1].Name == l.Name {
			continue
		}
		if l.Value == "" {
			continue
		}
		out[n] = l
		n++
	}
	return Labels(out[:n])
}

// FromMap makes labels from a map; name becomes `__name__` unless it is empty.
func FromMap(name string, m map[string]string) Labels {
	ls := make([]Label, 0, len(m)+1)
	for k, v := range m {
		ls = append(ls, Label{k, v})
	}
	if name != "" {
		ls = append(ls, Label{NameLabel, name})
	}
	return New(ls...)
}

// Get returns the value of a label, "" where it is absent.
func (ls Labels) Get(name string) string {
	for _, l := range ls {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Name is the metric name, "" where there is none.
func (ls Labels) Name() string { return ls.Get(NameLabel) }

// With returns the labels with one set (or, for an empty value, removed).
func (ls Labels) With(name, value string) Labels {
	return New(append(slices.Clone(ls), Label{name, value})...)
}

// Keep returns only the labels named.
func (ls Labels) Keep(names ...string) Labels {
	out := make(Labels, 0, len(names))
	for _, l := range ls {
		if slices.Contains(names, l.Name) {
			out = append(out, l)
		}
	}
	return out
}

// Drop returns the labels without those named.
func (ls Labels) Drop(names ...string) Labels {
	out := make(Labels, 0, len(ls))
	for _, l := range ls {
		if !slices.Contains(names, l.Name) {
			out = append(out, l)
		}
	}
	return out
}

// Map returns name to value, `__name__` included.
func (ls Labels) Map() map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

// Equal reports whether both hold the same labels.
func (ls Labels) Equal(o Labels) bool { return slices.Equal(ls, o) }

// Fingerprint is a stable 64-bit hash (xxhash64 over length-free, 0xff and 0xfe
// separated names and values, neither of which occurs in UTF-8). It is stored,
// so it must never change.
func (ls Labels) Fingerprint() uint64 {
	b := make([]byte, 0, 256)
	for _, l := range ls {
		b = append(b, l.Name...)
		b = append(b, 0xff)
		b = append(b, l.Value...)
		b = append(b, 0xfe)
	}
	return xxhash.Sum64(b)
}

// String is the series in Prometheus notation: name{a="b",c="d"}.
func (ls Labels) String() string {
	var b strings.Builder
	b.WriteString(ls.Name())
	first := true
	for _, l := range ls {
		if l.Name == NameLabel {
			continue
		}
		if first {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		first = false
		b.WriteString(l.Name)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(l.Value))
	}
	if !first {
		b.WriteByte('}')
	} else if b.Len() == 0 {
		b.WriteString("{}")
	}
	return b.String()
}
