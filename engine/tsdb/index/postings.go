package index

import (
	"maps"
	"slices"
	"sync"

	"vigil/engine/series"
)

// Postings are the lists of series per label name and value. They keep no labels
// but the names and values themselves: who made them knows the labels of a series.
type Postings struct {
	labels func(series.Local) series.Key

	mu    sync.RWMutex
	lists map[string]map[string][]series.Local // each list ascends
	all   []series.Local                       // ascends
}

// NewPostings returns an empty index. labels knows what a series that is in the
// index was added with; it is called under the index's lock, concurrently, and
// must not call back.
func NewPostings(labels func(series.Local) series.Key) *Postings {
	return &Postings{labels: labels, lists: map[string]map[string][]series.Local{}}
}

// Add takes a series in.
func (p *Postings) Add(l series.Local, ls series.Labels) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = with(p.all, l)
	for _, x := range ls {
		values := p.lists[x.Name]
		if values == nil {
			values = map[string][]series.Local{}
			p.lists[x.Name] = values
		}
		values[x.Value] = with(values[x.Value], l)
	}
}

// with puts l at its place; new series mostly come last.
func with(list []series.Local, l series.Local) []series.Local {
	if n := len(list); n == 0 || list[n-1] < l {
		return append(list, l)
	}
	if i, found := slices.BinarySearch(list, l); !found {
		return slices.Insert(list, i, l)
	}
	return list
}

// Remove takes series out, with the labels they were added with. Each list is
// gone through once, however many of its series go.
func (p *Postings) Remove(gone map[series.Local]series.Labels) {
	p.mu.Lock()
	defer p.mu.Unlock()
	touched := map[series.Label]bool{}
	for _, ls := range gone {
		for _, x := range ls {
			touched[x] = true
		}
	}
	// Readers hold no list beyond their lock, so it may change in place.
	without := func(list []series.Local) []series.Local {
		return slices.DeleteFunc(list, func(l series.Local) bool { _, is := gone[l]; return is })
	}
	for x := range touched {
		values := p.lists[x.Name]
		if list := without(values[x.Value]); len(list) > 0 {
			values[x.Value] = list
			continue
		}
		if delete(values, x.Value); len(values) == 0 {
			delete(p.lists, x.Name)
		}
	}
	p.all = without(p.all)
}

// Select returns the series that match, ascending. It begins with the shortest
// list that a matcher allows and holds the others against the labels.
func (p *Postings) Select(sel series.Selector) []series.Local {
	p.mu.RLock()
	defer p.mu.RUnlock()
	best, found := []series.Local(nil), false
	for _, m := range sel {
		if m.Type == series.MatchEqual && m.Value != "" {
			if list := p.lists[m.Name][m.Value]; !found || len(list) < len(best) {
				best, found = list, true
			}
		}
	}
	if !found {
		best, found = p.union(sel)
	}
	if !found {
		best = p.all
	}
	var out []series.Local
	for _, l := range best {
		if sel.MatchesKey(p.labels(l)) {
			out = append(out, l)
		}
	}
	return out
}

// union gathers the lists of the values that one matcher passes, if there is a
// matcher that an absent label does not pass.
func (p *Postings) union(sel series.Selector) (out []series.Local, found bool) {
	for _, m := range sel {
		if m.Matches("") {
			continue
		}
		for v, list := range p.lists[m.Name] {
			if m.Matches(v) {
				out = append(out, list...)
			}
		}
		slices.Sort(out)
		return out, true
	}
	return nil, false
}

// Names lists the label names in use, sorted.
func (p *Postings) Names() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Sorted(maps.Keys(p.lists))
}

// Values lists the values in use of a label, sorted.
func (p *Postings) Values(name string) []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Sorted(maps.Keys(p.lists[name]))
}
