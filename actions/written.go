package actions

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"vigil/actions/catalogue"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Written is an entry of the catalogue that the repository defines, where it stands
// and which commit made it what it is.
type Written struct {
	catalogue.Entry
	Place, Commit string
}

// MaxWritten bounds how many there are.
const MaxWritten = maxEntries

// With is the actions as they would be with exactly these entries of the
// repository beside those of the local config; it changes nothing. Issues name what
// cannot be: a name that is taken, a program or a secret of vigild itself, too many.
// Concurrent.
func (s *Set) With(written map[string]Written) (remedy.Actions, error) {
	if len(written) > MaxWritten {
		return nil, fault.New(fault.TooLarge, "there are %d actions in the repository, at most %d are taken", len(written), MaxWritten)
	}
	s.changing.Lock()
	c, now := *s.conf.Load(), s.table.Load()
	s.changing.Unlock()
	if len(written) == 0 && len(now.written) == 0 {
		return now, nil
	}
	t, err := s.assemble(c, now.built, written)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Adopt makes the entries of the repository exactly these, all or nothing. Acts in
// progress end as they began. Errors are those of With, but for how many there are.
// Concurrent.
func (s *Set) Adopt(written map[string]Written) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	old := s.table.Load()
	if len(written) == 0 && len(old.written) == 0 {
		return nil
	}
	t, err := s.assemble(*s.conf.Load(), old.built, written)
	if err != nil {
		return err
	}
	t.gone = maps.Clone(old.gone)
	for name, w := range old.written {
		if len(t.gone) >= MaxWritten {
			break
		}
		if t.gone == nil {
			t.gone = map[string]string{}
		}
		t.gone[name] = fmt.Sprintf("the repository defined it at %s, and does so no more", w.Place)
	}
	maps.DeleteFunc(t.gone, func(name, _ string) bool { _, back := t.actions[name]; return back })
	s.table.Store(t)
	return nil
}

// Former says why there is no action of a name that there was, "" that there never
// was one since the start.
func (s *Set) Former(name string) string { return s.table.Load().gone[name] }

// Origin says of a kind or an entry where it is defined: built in, the local config,
// or the place and the commit of the repository; "" there is none.
func (s *Set) Origin(name string) string { return s.table.Load().origin(name) }

func (t *table) origin(name string) string {
	if w, ok := t.written[name]; ok {
		return fmt.Sprintf("%s of commit %.10s", w.Place, w.Commit)
	}
	if _, ok := t.actions[name]; !ok {
		return ""
	}
	if _, kind := t.built[name]; kind {
		return "built in"
	}
	return "the local config"
}

// Listed is one action that can be named, and where it is defined.
type Listed struct {
	Name, Kind, Description string
	From                    string // see Origin
	Params                  map[string]string
}

// Catalogue lists every kind and entry as they are at this moment, by name.
func (s *Set) Catalogue() []Listed {
	t := s.table.Load()
	out := make([]Listed, 0, len(t.actions))
	for _, name := range t.Names() {
		l := Listed{Name: name, Kind: name, From: t.origin(name)}
		if e, ok := t.book.Entry(name); ok {
			l.Kind, l.Description, l.Params = e.Kind, e.Description, e.Params
		}
		out = append(out, l)
	}
	return out
}

// fits says what is wrong with entries of the repository beside a config.
func fits(c Config, written map[string]Written) (is fault.Issues) {
	for _, name := range slices.Sorted(maps.Keys(written)) {
		w := written[name]
		if slices.Contains(kindNames(), name) {
			is = append(is, fault.Issue{Place: w.Place, Msg: "Action/" + name + ": that is the name of a built-in kind", Hint: "give it another name"})
		}
		if _, taken := c.Catalogue[name]; taken {
			is = append(is, fault.Issue{Place: w.Place, Msg: fmt.Sprintf("Action/%s: the local config has [actions.%s], and one name has one owner", name, name),
				Hint: "give it another name, or take the entry out of the local config first"})
		}
		for _, p := range named(w.Entry) {
			if own := slices.IndexFunc(c.Own, func(o string) bool { return p == o || strings.HasPrefix(p, strings.TrimSuffix(o, "/")+"/") }); own >= 0 {
				is.Add(w.Place, "Action/%s: %s belongs to vigild itself, which no entry of the repository may name", name, p)
				break
			}
		}
	}
	return is
}

// named are the files that an entry names: its programs by their real paths too,
// whole paths among their arguments, and secrets.
func named(e catalogue.Entry) (out []string) {
	for _, argv := range [][]string{e.Argv, e.Probe} {
		for i, a := range argv {
			if !filepath.IsAbs(a) {
				continue
			}
			out = append(out, filepath.Clean(a))
			if real, err := filepath.EvalSymlinks(a); i == 0 && err == nil {
				out = append(out, real)
			}
		}
	}
	for _, h := range e.Headers {
		words := strings.Fields(h)
		if len(words) == 0 {
			continue
		}
		if p, is := strings.CutPrefix(words[len(words)-1], "file:"); is {
			out = append(out, filepath.Clean(p))
			if real, err := filepath.EvalSymlinks(p); err == nil {
				out = append(out, real)
			}
		}
	}
	return out
}
