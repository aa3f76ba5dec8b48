package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// PutPolicy creates or replaces a policy. With create, one that exists is a
// Conflict. Issues come back as fault.Issues with JSON pointers. It blocks on
// disk; the policy is in force when it returns.
func (e *Engine) PutPolicy(ctx context.Context, actor string, doc PolicyDocument, owner document.Owner, place string, create bool) (PolicyView, error) {
	if err := e.usable(); err != nil {
		return PolicyView{}, err
	}
	e.editing.Lock()
	defer e.editing.Unlock()
	old := e.reg.entry(doc.Name)
	if old != nil && create {
		return PolicyView{}, fault.New(fault.Conflict, "Policy '%s' already exists", doc.Name)
	}
	if err := mayChange(old, doc.Name, owner, place); err != nil {
		return PolicyView{}, err
	}
	p := plan{actor: actor, now: e.clock()}
	if err := e.planPut(&p, old, doc, owner, place); err != nil {
		return PolicyView{}, err
	}
	if err := e.carry(ctx, p); err != nil {
		return PolicyView{}, err
	}
	return e.Policy(doc.Name)
}

// DeletePolicy removes a policy and closes its firings.
func (e *Engine) DeletePolicy(ctx context.Context, actor, name string) error {
	if err := e.usable(); err != nil {
		return err
	}
	e.editing.Lock()
	defer e.editing.Unlock()
	old := e.reg.entry(name)
	if old == nil {
		return fault.New(fault.NotFound, "Policy '%s' not found", name)
	}
	if err := mayChange(old, name, document.API, ""); err != nil {
		return err
	}
	p := plan{actor: actor, now: e.clock()}
	p.delete(old, "the policy was deleted")
	return e.carry(ctx, p)
}

// EnablePolicy turns a policy on or off, whoever owns it: a person may always
// stop one. A disabled policy is evaluated and leads to nothing.
func (e *Engine) EnablePolicy(ctx context.Context, actor, name string, on bool) (PolicyView, error) {
	if err := e.usable(); err != nil {
		return PolicyView{}, err
	}
	e.editing.Lock()
	defer e.editing.Unlock()
	old := e.reg.entry(name)
	if old == nil {
		return PolicyView{}, fault.New(fault.NotFound, "Policy '%s' not found", name)
	}
	p := plan{actor: actor, now: e.clock()}
	doc := old.doc
	doc.Enabled = on
	if err := e.planPut(&p, old, doc, old.owner, old.place); err != nil {
		return PolicyView{}, err
	}
	p.d.Audit[len(p.d.Audit)-1].Verb = map[bool]string{true: "policy.enable", false: "policy.disable"}[on]
	if err := e.carry(ctx, p); err != nil {
		return PolicyView{}, err
	}
	return e.Policy(name)
}

// ApplyFolder makes the policies of one owner exactly these documents, in one
// transaction: one issue and nothing of them is applied. Documents of other
// kinds are left to others. Whether a person disabled a policy is kept.
func (e *Engine) ApplyFolder(ctx context.Context, actor string, owner document.Owner, ds []document.Document) error {
	if err := e.usable(); err != nil {
		return err
	}
	e.editing.Lock()
	defer e.editing.Unlock()
	var is fault.Issues
	p := plan{actor: actor, now: e.clock()}
	want := map[string]string{}
	for _, d := range ds {
		if d.Kind != "Policy" {
			continue
		}
		doc, di := PolicyFromDocument(d)
		if len(di) > 0 {
			is = append(is, di...)
			continue
		}
		if first, twice := want[doc.Name]; twice {
			is.Add(d.Place, "policy %s is already defined at %s", doc.Name, first)
			continue
		}
		want[doc.Name] = d.Place
		old := e.reg.entry(doc.Name)
		if err := mayChange(old, doc.Name, owner, d.Place); err != nil {
			is.Add(d.Place, "%s", err.Error())
			continue
		}
		if old != nil && old.text(doc, owner, d.Place) {
			continue
		}
		if err := e.planPut(&p, old, doc, owner, d.Place); err != nil {
			is = append(is, placed(err, d)...)
		}
	}
	if len(is) > 0 {
		return is
	}
	for name, old := range *e.reg.all.Load() {
		if _, stays := want[name]; !stays && old.owner == owner {
			p.delete(old, "its document is gone")
		}
	}
	if len(p.d.Policies) == 0 && len(p.d.Deleted) == 0 {
		return nil
	}
	return e.carry(ctx, p)
}

// plan is a change of policies: what is to be committed, and how memory follows.
type plan struct {
	actor  string
	now    clock.Stamp
	d      Decision
	enters []*entry
	leaves []*entry
	edits  []edit
}

// edit replaces the document of an entry whose condition stays.
type edit struct{ old, new *entry }

func (e *Engine) planPut(p *plan, old *entry, doc PolicyDocument, owner document.Owner, place string) error {
	en, is := e.compile(doc)
	if len(is) > 0 {
		return is
	}
	if loop := e.loop(doc); loop != "" {
		return fault.New(fault.Unprocessable, "policy %s depends on itself through %s", doc.Name, loop).At("/depends_on")
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return fault.Wrap(fault.Unprocessable, err, "policy %s", doc.Name)
	}
	row := PolicyRow{Name: doc.Name, Owner: string(owner), Place: place, Enabled: doc.Enabled, Text: text, Created: p.now, Updated: p.now}
	verb := "policy.create"
	if old != nil {
		row.Version, row.Created, verb = old.version, old.created, "policy.update"
	}
	en.owner, en.place, en.version, en.created, en.updated = owner, place, row.Version+1, row.Created, row.Updated
	p.d.Policies = append(p.d.Policies, row)
	reason := "as " + string(owner) + " says"
	switch {
	case old == nil:
		p.enters = append(p.enters, en)
	case old.broken == "" && sameJSON(old.doc.Condition, doc.Condition):
		p.edits = append(p.edits, edit{old, en})
	default:
		c, o := doc.Condition, old.doc.Condition
		if old.broken == "" && c.Match == o.Match && c.Fire == o.Fire && c.Target == o.Target {
			en.inherit = old
		} else if old.broken == "" {
			reason += "; match or fire changed, so its firings are closed"
			p.close(old, "the policy's match or fire was edited")
		}
		p.leaves = append(p.leaves, old)
		p.enters = append(p.enters, en)
	}
	p.d.Audit = append(p.d.Audit, audit.Record{
		At: p.now, Actor: p.actor, Verb: verb, Object: "policy:" + doc.Name, Reason: reason, Evidence: text,
	})
	return nil
}

func (p *plan) delete(old *entry, reason string) {
	p.close(old, reason)
	p.d.Deleted = append(p.d.Deleted, old.name())
	p.d.Audit = append(p.d.Audit, audit.Record{At: p.now, Actor: p.actor, Verb: "policy.delete", Object: "policy:" + old.name(), Reason: reason})
	p.leaves = append(p.leaves, old)
}

// close ends the stored firings of an entry.
func (p *plan) close(old *entry, reason string) {
	old.shard.mu.Lock()
	defer old.shard.mu.Unlock()
	o := outcome{}
	for _, x := range old.insts {
		if x.row.Version > 0 {
			row := x.row
			row.Closed = reason
			o.closing = append(o.closing, row)
		}
	}
	c := decide(o, 0, p.now)
	p.d.Firings = append(p.d.Firings, c.Firings...)
	p.d.Audit = append(p.d.Audit, c.Audit...)
}

// carry commits a plan and then makes memory follow. A shard may write rows of
// an entry that is about to leave in between; the version tells, and the plan is
// refused as a Conflict that the caller may simply try again.
func (e *Engine) carry(ctx context.Context, p plan) error {
	p.d.At = p.now
	for try := 0; ; try++ {
		_, err := e.journal.Commit(ctx, &p.d)
		if err == nil {
			break
		}
		if try < 5 && fault.KindOf(err) == fault.Conflict && len(p.d.Firings) > 0 {
			e.freshen(&p)
			continue
		}
		return err
	}
	e.reg.mu.Lock()
	for _, ed := range p.edits {
		ed.old.shard.mu.Lock()
		ed.old.doc, ed.old.owner, ed.old.place = ed.new.doc, ed.new.owner, ed.new.place
		ed.old.version, ed.old.updated = ed.new.version, ed.new.updated
		ed.old.shard.mu.Unlock()
	}
	for _, en := range p.leaves {
		e.reg.leave(en)
	}
	for _, en := range p.enters {
		e.reg.enter(e, en)
	}
	e.reg.mu.Unlock()
	e.reg.link()
	for _, en := range p.enters {
		if err := e.refill(ctx, en); err != nil {
			e.log.Warn("windows not refilled, they fill as samples come", "policy", en.name(), "error", err)
			e.warm(en)
		}
	}
	return nil
}

// freshen takes the row versions again.
func (e *Engine) freshen(p *plan) {
	for i := range p.d.Firings {
		row := &p.d.Firings[i]
		if en := e.reg.entry(row.Policy); en != nil {
			en.shard.mu.Lock()
			if x := en.insts[row.Fingerprint]; x != nil {
				row.Version = x.row.Version
			}
			en.shard.mu.Unlock()
		}
	}
}

// loop names a policy through which doc would depend on itself, "" if none.
func (e *Engine) loop(doc PolicyDocument) string {
	deps := *e.reg.deps.Load()
	seen := map[string]bool{}
	var walk func([]string) string
	walk = func(names []string) string {
		for _, n := range names {
			if d := deps[n]; d != nil && !seen[n] {
				seen[n] = true
				if slices.Contains(d.on, doc.Name) {
					return n
				}
				if via := walk(d.on); via != "" {
					return via
				}
			}
		}
		return ""
	}
	return walk(doc.DependsOn)
}

// mayChange holds the rule that only its owner changes a policy.
func mayChange(old *entry, name string, owner document.Owner, place string) error {
	if old == nil || old.owner == owner {
		return nil
	}
	at := string(owner)
	if place != "" {
		at += " (" + place + ")"
	}
	was := string(old.owner)
	if old.place != "" {
		was += " (" + old.place + ")"
	}
	return fault.New(fault.Conflict, "Policy '%s' belongs to %s and cannot be changed by %s", name, was, at).
		Mend("change it where it is written, or give yours another name")
}

// text reports whether an entry already is this document.
func (en *entry) text(doc PolicyDocument, owner document.Owner, place string) bool {
	doc.Enabled = en.doc.Enabled && doc.Enabled
	return en.owner == owner && en.place == place && sameJSON(en.doc, doc)
}

func sameJSON(a, b any) bool {
	x, errx := json.Marshal(a)
	y, erry := json.Marshal(b)
	return errx == nil && erry == nil && string(x) == string(y)
}

// placed turns the JSON pointers of issues into places of the document.
func placed(err error, d document.Document) fault.Issues {
	is, ok := err.(fault.Issues)
	if !ok {
		return fault.Issues{{Place: d.Place, Msg: err.Error()}}
	}
	out := slices.Clone(is)
	for i := range out {
		out[i].Place = placeOf(d, out[i].Place)
	}
	return out
}

func placeOf(d document.Document, ptr string) string {
	ptr = strings.TrimPrefix(strings.TrimPrefix(ptr, "/condition"), "/")
	path, col, _ := strings.Cut(ptr, ":")
	if path == "" {
		return d.Place
	}
	at := d.Spec.Place(strings.Split(path, "/")...)
	if col != "" {
		at += " (column " + col + " of the expression)"
	}
	return at
}

func (e *Engine) usable() error {
	if !e.opened.Load() {
		return fault.New(fault.Unavailable, "vigild is starting: the log is being replayed").After(secondsOne)
	}
	return nil
}
