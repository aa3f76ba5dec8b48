package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Order gives every item its level, so that what an item depends on, by its word
// or by what it is (see implied), has a lower one, and sorts them by level and
// reference. An unknown reference is an issue, and so is a circle. Linear in items and
// edges.
//
// unread says of a reference whether its document is there and could not be read;
// nil: all were read. Otherwise the items are part of what is meant: what their words
// say is judged, and what follows from what they are is not.
func Order(items []*Item, unread func(ref string) bool) fault.Issues {
	var is fault.Issues
	at := make(map[string]*Item, len(items))
	names := make([]string, 0, len(items))
	for _, it := range items {
		ref := it.Key().Ref()
		at[ref] = it
		names = append(names, ref)
	}
	waits := make(map[*Item]int, len(items)) // on how many an item still waits
	next := map[*Item][]*Item{}
	for _, it := range items {
		for _, ref := range it.DependsOn {
			on, ok := at[ref]
			if !ok && unread != nil && unread(ref) {
				continue
			}
			if !ok {
				i := fault.Issue{Place: it.Place, Msg: fmt.Sprintf("%s depends on %s, which is not there", it.Key().Ref(), ref)}
				if len(is) < 20 {
					if near := document.Nearest(ref, names); near != "" {
						i.Hint = "did you mean " + near + "?"
					}
				}
				is = append(is, i)
				continue
			}
			waits[it]++
			next[on] = append(next[on], it)
		}
	}
	var more map[*Item][]*Item
	if unread == nil {
		more = implied(items, at)
	}
	for it, ons := range more {
		for _, on := range ons {
			waits[it]++
			next[on] = append(next[on], it)
		}
	}
	var ready []*Item
	for _, it := range items {
		if it.Level = 0; waits[it] == 0 {
			ready = append(ready, it)
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		it := ready[0]
		ready = ready[1:]
		for _, n := range next[it] {
			n.Level = max(n.Level, it.Level+1)
			if waits[n]--; waits[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	if done < len(items) {
		is = append(is, circle(items, waits, at, more))
	}
	slices.SortFunc(items, func(a, b *Item) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Key().Ref(), b.Key().Ref()))
	})
	return is
}

// circle names one circle among the items that wait for ever.
func circle(items []*Item, waits map[*Item]int, at map[string]*Item, more map[*Item][]*Item) fault.Issue {
	var first *Item
	for _, it := range items {
		if waits[it] > 0 && (first == nil || it.Key().Ref() < first.Key().Ref()) {
			first = it
		}
	}
	var way []*Item
	for it := first; ; {
		if i := slices.Index(way, it); i >= 0 {
			way = append(way[i:], it)
			break
		}
		way = append(way, it)
		ons := slices.Clone(more[it])
		for _, ref := range it.DependsOn {
			ons = append(ons, at[ref])
		}
		for _, on := range slices.Backward(ons) { // by its word first
			if on != nil && waits[on] > 0 {
				it = on
				break
			}
		}
	}
	names := make([]string, len(way))
	for i, it := range way {
		names[i] = it.Key().Ref()
	}
	return fault.Issue{Place: way[0].Place, Msg: "these depend on each other in a circle: " + strings.Join(names, " -> "),
		Hint: "take one dependsOn away"}
}
