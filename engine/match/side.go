package match

import (
	"slices"
	"strings"

	"vigil/engine/series"
)

// Side is one side of joins: things with labels, found by what they have in common
// with others. Things are kept by the names of their labels, and below that by the
// values of those that were ever compared, so that what is asked for costs what is
// found and not what there is. Under its owner's lock.
type Side[T comparable] struct {
	labels func(T) series.Labels
	shapes map[string]*shape[T]
	rest   bunch[T] // of further shapes: each of them is found by whatever is asked for
}

// maxShapes is how many shapes are kept apart. Made-up names of labels make any number
// of them, and each is looked at: dearer than to compare its one thing.
const maxShapes = 256

// shape is the things whose labels have the same names.
type shape[T comparable] struct {
	names []string // ascending, as labels are
	all   bunch[T]
	by    map[string]*values[T] // by the names that are compared
}

// values is the things of a shape by the values of some of their labels.
type values[T comparable] struct {
	names []string
	of    map[uint64]*bunch[T]
}

// maxCompared is how many sets of names a shape is kept by; who compares others goes
// through all of it.
const maxCompared = 16

// NewSide makes an empty one; labels tells those of a thing, always the same.
func NewSide[T comparable](labels func(T) series.Labels) *Side[T] {
	return &Side[T]{labels: labels, shapes: map[string]*shape[T]{}}
}

// Add takes in a thing that is not there.
func (s *Side[T]) Add(t T) {
	ls := s.labels(t)
	key := namesOf(ls)
	sh := s.shapes[key]
	if sh == nil && len(s.shapes) >= maxShapes {
		s.rest.add(t)
		return
	}
	if sh == nil {
		sh = &shape[T]{by: map[string]*values[T]{}}
		for _, l := range ls {
			sh.names = append(sh.names, l.Name)
		}
		s.shapes[key] = sh
	}
	sh.all.add(t)
	for _, v := range sh.by {
		v.add(ls, t)
	}
}

// Remove takes a thing out that is there.
func (s *Side[T]) Remove(t T) {
	if s.rest.remove(t) {
		return
	}
	ls := s.labels(t)
	key := namesOf(ls)
	sh := s.shapes[key]
	if sh == nil {
		return
	}
	sh.all.remove(t)
	if len(sh.all.list) == 0 {
		delete(s.shapes, key)
		return
	}
	for _, v := range sh.by {
		print := ls.Keep(v.names...).Fingerprint()
		if b := v.of[print]; b != nil {
			if b.remove(t); len(b.list) == 0 {
				delete(v.of, print)
			}
		}
	}
}

// Find lists the things whose labels on have the same values as ls, an absent one
// having none; without on, all names that both have are compared but `__name__`. A
// few that only look so may be among them: the caller compares.
func (s *Side[T]) Find(ls series.Labels, on []string) (out []T) {
	for _, sh := range s.shapes {
		if names, may := sh.compared(ls, on); may {
			out = append(out, s.with(sh, names, ls)...)
		}
	}
	return append(out, s.rest.list...)
}

// compared are the names of a shape by which ls is compared with its things; false:
// none of them can have what ls has.
func (sh *shape[T]) compared(ls series.Labels, on []string) (names []string, may bool) {
	for _, n := range on {
		if ls.Get(n) != "" != slices.Contains(sh.names, n) {
			return nil, false
		}
	}
	for _, n := range sh.names {
		if len(on) > 0 && slices.Contains(on, n) || len(on) == 0 && n != series.NameLabel && ls.Get(n) != "" {
			names = append(names, n)
		}
	}
	return names, true
}

// with is the things of a shape that have the same values under some names.
func (s *Side[T]) with(sh *shape[T], names []string, ls series.Labels) []T {
	if len(names) == 0 {
		return sh.all.list
	}
	key := strings.Join(names, sep)
	v := sh.by[key]
	if v == nil {
		if len(sh.by) >= maxCompared {
			return sh.all.list
		}
		v = &values[T]{names, map[uint64]*bunch[T]{}}
		for _, t := range sh.all.list {
			v.add(s.labels(t), t)
		}
		sh.by[key] = v
	}
	if b := v.of[ls.Keep(names...).Fingerprint()]; b != nil {
		return b.list
	}
	return nil
}

func (v *values[T]) add(ls series.Labels, t T) {
	print := ls.Keep(v.names...).Fingerprint()
	b := v.of[print]
	if b == nil {
		b = new(bunch[T])
		v.of[print] = b
	}
	b.add(t)
}

// sep is in no label's name, which is UTF-8.
const sep = "\xff"

func namesOf(ls series.Labels) string {
	var b strings.Builder
	for _, l := range ls {
		b.WriteString(l.Name)
		b.WriteString(sep)
	}
	return b.String()
}

// bunch is things in no order. A large one knows where each of them lies.
type bunch[T comparable] struct {
	list []T
	at   map[T]int
}

const largeBunch = 32

func (b *bunch[T]) add(t T) {
	b.list = append(b.list, t)
	switch n := len(b.list); {
	case b.at != nil:
		b.at[t] = n - 1
	case n > largeBunch:
		b.at = make(map[T]int, n)
		for i, t := range b.list {
			b.at[t] = i
		}
	}
}

// remove says whether it was there.
func (b *bunch[T]) remove(t T) bool {
	i, there := b.at[t]
	if b.at == nil {
		i = slices.Index(b.list, t)
		there = i >= 0
	}
	if !there {
		return false
	}
	last := len(b.list) - 1
	b.list[i] = b.list[last]
	if b.at != nil {
		b.at[b.list[i]] = i
		delete(b.at, t)
	}
	clear(b.list[last:])
	b.list = b.list[:last]
	return true
}
