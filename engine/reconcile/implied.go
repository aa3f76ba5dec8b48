package reconcile

import (
	"path"
	"strings"
)

// implied is what items wait for without saying so: what lies in a folder for the
// folder (and a folder that goes for what lies in it), a unit for its files and for
// those that it has to have started after. What dependsOn says the other way round
// wins. Linear in the items and the depths of their paths, and in what each folder and each
// unit depends on.
func implied(items []*Item, at map[string]*Item) map[*Item][]*Item {
	folders, files := map[string]*Item{}, map[string][]*Item{}
	units := map[string][]*Item{}
	for _, it := range items {
		if it.Key().Kind == "Directory" {
			folders[strings.TrimPrefix(it.Key().Subject, "file:")] = it
		}
		for _, p := range it.whole() {
			files[p] = append(files[p], it)
		}
		for _, u := range it.Units() {
			units[u] = append(units[u], it)
		}
	}
	out, by := map[*Item][]*Item{}, reach{at: at, known: map[*Item]map[*Item]bool{}}
	add := func(it, on *Item) {
		if it != on && !by.leads(on, it) {
			out[it] = append(out[it], on)
		}
	}
	for _, it := range items {
		for _, p := range it.whole() {
			for d := path.Dir(p); d != "/" && d != "."; d = path.Dir(d) {
				f := folders[d]
				if f == nil {
					continue
				}
				if f.Mode == Absent {
					add(f, it)
				} else {
					add(it, f)
				}
				break
			}
			for _, u := range units[unitOf(p)] {
				if it.Key().Kind == "File" {
					add(u, it)
				}
			}
		}
		for _, p := range it.Also {
			for _, f := range files[p] {
				add(it, f)
			}
		}
	}
	return out
}

// whole are the files that the item itself speaks of.
func (it *Item) whole() (out []string) {
	for _, c := range it.Claims {
		if p, ok := strings.CutPrefix(c, "file:"); ok {
			p, _, _ = strings.Cut(p, "#")
			if len(out) == 0 || out[len(out)-1] != p {
				out = append(out, p)
			}
		}
	}
	return out
}

// unitOf is the unit that a file of systemd's folders is about, "" none.
func unitOf(p string) string {
	rest, ok := strings.CutPrefix(p, "/etc/systemd/system/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(name, ".d")
}

// reach is what dependsOn leads to. A folder is asked about once for each thing that
// lies in it, and may depend on as many.
type reach struct {
	at    map[string]*Item
	known map[*Item]map[*Item]bool
	size  int
}

// mostKnown bounds what is known at a time.
const mostKnown = 1 << 17

// leads says whether dependsOn leads from one item to another.
func (r *reach) leads(from, to *Item) bool {
	if len(from.DependsOn) == 0 {
		return false
	}
	seen := r.known[from]
	if seen == nil {
		seen = map[*Item]bool{}
		for todo := []*Item{from}; len(todo) > 0; {
			it := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, ref := range it.DependsOn {
				if on := r.at[ref]; on != nil && !seen[on] {
					seen[on] = true
					todo = append(todo, on)
				}
			}
		}
		if r.size += len(seen); r.size > mostKnown {
			clear(r.known)
			r.size = len(seen)
		}
		r.known[from] = seen
	}
	return seen[to]
}
