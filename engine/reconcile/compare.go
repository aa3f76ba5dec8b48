package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Class says how a difference came about.
type Class string

// The classes.
const (
	Pending  Class = "pending"  // desired changed; what is there is what was last written, or was never written
	Drift    Class = "drift"    // somebody touched it; desired did not change
	Conflict Class = "conflict" // desired changed, and somebody touched it too
	Missing  Class = "missing"  // it was written once and is gone
	Orphan   Class = "orphan"   // it was written once and is no longer desired
)

// Difference is one property that is not as it should be.
type Difference struct {
	Field  string    `json:"field"` // as it is told to everybody
	Of     string    `json:"-"`     // the name of the property where that is not to be told, else ""
	Wanted string    `json:"wanted"`
	Found  string    `json:"found"`
	Class  Class     `json:"class"`
	Since  time.Time `json:"since"` // when it was first seen; zero until Carry
}

// Property is the name under which ignore and Heal know what differs.
func (d Difference) Property() string { return cmp.Or(d.Of, d.Field) }

// Diff sets three states side by side, property by property. Only what desired
// speaks of is compared. A thing that is not there, or is there and should not
// be, differs in exists alone: the rest follows from it. Pure.
func Diff(desired, last, seen State) []Difference {
	var out []Difference
	want, is := desired[Exists], seen[Exists]
	if want == "" {
		want = Yes
	}
	if want != is {
		d := Difference{Field: Exists, Wanted: want, Found: is, Class: classify(want, last, is, Exists)}
		if want == Yes && last[Exists] == Yes {
			d.Class = Missing
		}
		return append(out, d)
	}
	if want == No {
		return nil
	}
	for _, name := range desired.Fields() {
		if name == Exists || desired[name] == seen[name] {
			continue
		}
		out = append(out, Difference{Field: name, Wanted: desired[name], Found: seen[name],
			Class: classify(desired[name], last, seen[name], name)})
	}
	return out
}

func classify(wanted string, last State, found, name string) Class {
	was, written := last[name]
	switch {
	case !written || found == was:
		return Pending
	case wanted == was:
		return Drift
	}
	return Conflict
}

// Carry gives every difference the time since when it is known: that of the same
// difference before (same field, wanted and found), else now. Pure.
func Carry(before, found []Difference, now time.Time) []Difference {
	out := make([]Difference, len(found))
	for i, d := range found {
		d.Since = now
		for _, b := range before {
			if b.Field == d.Field && b.Wanted == d.Wanted && b.Found == d.Found && !b.Since.IsZero() {
				d.Since = b.Since
				break
			}
		}
		out[i] = d
	}
	return out
}

// Bounds of what is told of differences beside the thing itself.
const (
	maxTold  = 20
	maxValue = 1000
)

// Told are the first differences with the beginnings of their values, for records
// and answers: a folder may have a hundred thousand entries too many, and a value
// that was found may have megabytes. Pure.
func Told(ds []Difference) []Difference {
	out := slices.Clone(ds[:min(len(ds), maxTold)])
	for i := range out {
		for _, v := range []*string{&out[i].Field, &out[i].Wanted, &out[i].Found} {
			if len(*v) > maxValue {
				*v = strings.ToValidUTF8((*v)[:maxValue], "") + "..."
			}
		}
	}
	return out
}
