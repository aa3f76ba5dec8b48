package index

import (
	"maps"
	"slices"
	"sync"

	"vigil/engine/series"
)

// Postings are the lists of series per label name and value.
type Postings struct {
	mu    sync.RWMutex
	lists map[string]map[string][]series.Local // each list ascends
	all   map[series.Local]series.Labels
}

// NewPostings returns an empty index.
func NewPostings() *Postings {
	return &Postings{lists: map[string]map[string][]series.Local{}, all: map[series.Local]series.Labels{}}
}

// Add takes a series in.
func (p *Postings) Add(l series.Local, ls series.Labels) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[l] = ls
	for _, x := range ls {
		values := p.lists[x.Name]
		if values == nil {
			values = map[string][]series.Local{}
			p.lists[x.Name] = values
		}
		list := values[x.Value]
		if n := len(list); n == 0 || list[n-1] < l {
			values[x.Value] = append(list, l)
			continue
		}
		if i, found := slices.BinarySearch(list, l); !found {
			values[x.Value] = slices.Insert(list, i, l)
		}
	}
}

// Remove takes a series out.
func (p *Postings) Remove(l series.Local) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.all[l] {
		values := p.lists[x.Name]
		// Readers hold no list beyond their lock, so it may change in place.
		if i, found := slices.BinarySearch(values[x.Value], l); found {
			values[x.Value] = slices.Delete(values[x.Value], i, i+1)
		}
		if len(values[x.Value]) == 0 {
			delete(values, x.Value)
		}
		if len(values) == 0 {
			delete(p.lists, x.Name)
		}
	}
	delete(p.all, l)
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
	var out []series.Local
	if !found {
		for l, ls := range p.all {
			if sel.Matches(ls) {
				out = append(out, l)
			}
		}
		slices.Sort(out)
		return out
	}
	for _, l := range best {
		if sel.Matches(p.all[l]) {
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
