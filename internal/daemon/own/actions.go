package own

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"vigil/actions"
	"vigil/actions/catalogue"
	"vigil/actions/doubt"
	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Book is the set of actions, as the repository adds to it; see actions.Set.
type Book interface {
	With(map[string]actions.Written) (remedy.Actions, error)
	Adopt(map[string]actions.Written) error
	doubt.Host
}

// Actions is the entries of the catalogue that the repository defines.
type Actions struct {
	book    Book
	trusted bool

	mu   sync.Mutex
	live map[string]actions.Written
	rows []engine.EntryRow // as the ledger has them, by name
}

// NewActions begins without any. Only a trusted repository has any.
func NewActions(b Book, trusted bool) *Actions {
	return &Actions{book: b, trusted: trusted, live: map[string]actions.Written{}}
}

// read reads the entries among documents, and all that is wrong with each by itself.
func read(commit string, ds []document.Document) (out map[string]actions.Written, is fault.Issues) {
	out, left, n := map[string]actions.Written{}, catalogue.Whole(), 0
	for _, d := range ds {
		if d.Kind != catalogue.DocumentKind {
			continue
		}
		if n++; n > actions.MaxWritten {
			is.Add(d.Place, "more than %d actions in one repository", actions.MaxWritten)
			break
		}
		e, bad := catalogue.FromDocument(d, left)
		is = append(is, bad...)
		out[d.Name] = actions.Written{Entry: e, Place: d.Place, Commit: commit}
	}
	return out, is
}

// with is the actions as they would be with the documents, nil beside issues.
func (a *Actions) with(ds []document.Document) (remedy.Actions, fault.Issues) {
	entries, is := read("", ds)
	if len(is) > 0 {
		return nil, is
	}
	if !a.trusted && len(entries) > 0 {
		return nil, fault.Issues{{Msg: "the repository defines actions, and is not trusted with that here", Hint: "git.trust_actions = true, which needs signed commits"}}
	}
	acts, err := a.book.With(entries)
	var theirs fault.Issues
	switch {
	case err == nil:
		return acts, nil
	case errors.As(err, &theirs):
		return nil, theirs
	}
	return nil, fault.Issues{{Msg: err.Error()}}
}

// changes says what Adopt would do, and which policies of others would be left with
// an action that there is no more.
func (a *Actions) changes(ds []document.Document, policies func() []engine.PolicyView) (says []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := map[string][]byte{}
	for _, r := range a.rows {
		was[r.Name] = r.Text
	}
	for _, d := range ds {
		if d.Kind != catalogue.DocumentKind {
			continue
		}
		text, err := d.Text()
		old, stood := was[d.Name]
		switch {
		case !stood:
			says = append(says, "create Action/"+d.Name+unstarted(d))
		case err != nil || !bytes.Equal(old, text):
			says = append(says, "change Action/"+d.Name+unstarted(d))
		}
		delete(was, d.Name)
	}
	for name := range was {
		say := "delete Action/" + name
		if left := naming(policies(), name); len(left) > 0 {
			say += " (named by " + strings.Join(left, ", ") + ", which cannot act then)"
		}
		says = append(says, say)
	}
	return says
}

// unstarted is why an entry would not start, in brackets: no reason to refuse it, since its
// program may come with the same revision.
func unstarted(d document.Document) string {
	e, is := catalogue.FromDocument(d, catalogue.Whole())
	if len(is) > 0 {
		return ""
	}
	if err := (actions.Written{Entry: e}).Foresee(); err != nil {
		return " (as things stand it would not start: " + err.Error() + ")"
	}
	return ""
}

// doubts adds to what is said of policies which acts of them would fail as things stand:
// no reason to refuse them, since what they need may come with the same revision.
func (a *Actions) doubts(ctx context.Context, says []string, ds []document.Document, acts remedy.Actions) {
	ctx, done := context.WithTimeout(ctx, doubt.Patience)
	defer done()
	for _, d := range ds {
		if d.Kind != "Policy" {
			continue
		}
		p, is := engine.PolicyFromDocument(d)
		i := slices.IndexFunc(says, func(s string) bool { return s == "create Policy/"+d.Name || s == "change Policy/"+d.Name })
		if len(is) > 0 || i < 0 {
			continue
		}
		for _, x := range doubt.Of(ctx, a.book, acts, p.Remedy) {
			says[i] += " (" + x.Msg + ")"
		}
	}
}

// naming are the policies of others that name an action.
func naming(ps []engine.PolicyView, name string) (out []string) {
	for _, p := range ps {
		if p.Owner == document.Git || p.Remedy == nil {
			continue
		}
		if slices.ContainsFunc(p.Remedy.Ladder, func(r remedy.Rung) bool { return r.Action == name }) {
			out = append(out, fmt.Sprintf("Policy/%s of owner %s", p.Name, p.Owner))
		}
	}
	return out
}

// passage is a change of the entries on its way.
type passage struct {
	a       *Actions
	old     map[string]actions.Written
	next    map[string]actions.Written
	rows    []engine.EntryRow
	records []audit.Record
	differs bool // from what the ledger has
}

// begin makes the entries of the documents live beside those that go: these go with
// done, once the policies that named them have.
func (a *Actions) begin(actor, commit string, ds []document.Document) (*passage, error) {
	next, is := read(commit, ds)
	if len(is) > 0 {
		return nil, is
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &passage{a: a, old: a.live, next: next}
	stood := map[string]engine.EntryRow{}
	for _, r := range a.rows {
		stood[r.Name] = r
	}
	record := func(verb, name, reason string, evidence []byte) {
		p.differs = true
		p.records = append(p.records, audit.Record{Actor: actor, Verb: "action." + verb, Object: "action:" + name, Reason: reason, Evidence: evidence})
	}
	for _, d := range ds {
		if d.Kind != catalogue.DocumentKind {
			continue
		}
		text, err := d.Text()
		if err != nil {
			return nil, err
		}
		row := engine.EntryRow{Name: d.Name, Place: d.Place, Commit: commit, Text: text}
		switch old, is := stood[d.Name]; {
		case !is:
			record("define", d.Name, "as "+d.Place+" says", evidence(next[d.Name], text))
		case !bytes.Equal(old.Text, text):
			record("change", d.Name, "as "+d.Place+" says", evidence(next[d.Name], text))
		case old.Place != d.Place:
			p.differs = true
			row.Commit = old.Commit
		default:
			row.Commit = old.Commit
		}
		w := next[d.Name]
		w.Commit = row.Commit
		next[d.Name] = w
		p.rows = append(p.rows, row)
		delete(stood, d.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(stood)) {
		record("remove", name, "its document at "+stood[name].Place+" is gone", nil)
	}
	slices.SortFunc(p.rows, func(x, y engine.EntryRow) int { return strings.Compare(x.Name, y.Name) })
	both := maps.Clone(p.old)
	maps.Copy(both, next)
	return p, a.book.Adopt(both)
}

// evidence is what an entry does and by which text. The text itself may hold what is
// not for everybody who may read the audit.
func evidence(w actions.Written, text []byte) []byte {
	does := w.URL
	if len(w.Argv) > 0 {
		does = w.Argv[0]
	}
	return audit.Evidence(map[string]string{"kind": w.Kind, "does": does, "sha256": fmt.Sprintf("%x", sha256.Sum256(text))})
}

// done is after the ledger has it.
func (p *passage) done() error {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.a.live, p.a.rows = p.next, p.rows
	return p.a.book.Adopt(p.next)
}

// back is after the ledger has refused it.
func (p *passage) back() error { return p.a.book.Adopt(p.old) }

// Restore puts the entries in force that the ledger has, before anything acts. One
// that does not fit any more is named in the error and left out, and all of them are
// where the local config trusts the repository no longer.
func (a *Actions) Restore(rows []engine.EntryRow) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = rows
	if !a.trusted && len(rows) > 0 {
		return fault.New(fault.Forbidden, "actions that the repository defined (%d) are not in force: it is not trusted with them any more", len(rows)).
			Mend("git.trust_actions = true, or take their documents out of the repository")
	}
	entries := map[string]actions.Written{}
	var is fault.Issues
	for _, r := range rows {
		ds, bad := document.Parse(r.Place, r.Text, document.Git)
		for i := range ds {
			ds[i].Place = r.Place
		}
		one, more := read(r.Commit, ds)
		if bad = append(bad, more...); len(bad) > 0 {
			is = append(is, bad...)
			continue
		}
		maps.Copy(entries, one)
	}
	err := a.book.Adopt(entries)
	var unfit fault.Issues
	if errors.As(err, &unfit) {
		is = append(is, unfit...)
		maps.DeleteFunc(entries, func(_ string, w actions.Written) bool {
			return slices.ContainsFunc(unfit, func(i fault.Issue) bool { return i.Place == w.Place })
		})
		err = a.book.Adopt(entries)
	}
	if err != nil {
		return errors.Join(is.Err(), err)
	}
	a.live = entries
	return is.Err()
}
