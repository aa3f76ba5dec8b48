// Package policies changes the policies: by a person over the API, by a folder
// or a revision as a whole.
//
// A document is compiled before anything is written; what is refused is named
// with its place, all at once, and one issue refuses the whole set. Only its
// owner changes a policy; anyone who may can turn one off. Every change is one
// transaction with its audit record, and in force when the call returns. One
// change at a time; it starts nothing.
package policies

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/evaluate"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/shard"
)

// Keeper changes policies. See the package comment.
type Keeper struct {
	states  *evaluate.Evaluator
	actions remedy.Actions
	memory  int
	clock   clock.Clock

	editing sync.Mutex
}

// New makes a keeper; memory caps the windows of one series, in bytes.
func New(ev *evaluate.Evaluator, a remedy.Actions, memory int, c clock.Clock) *Keeper {
	return &Keeper{states: ev, actions: a, memory: memory, clock: c}
}

// PutPolicy creates or replaces a policy. With create, one that exists is a
// Conflict. Issues come back as fault.Issues with JSON pointers.
func (k *Keeper) PutPolicy(ctx context.Context, actor string, doc engine.PolicyDocument, owner document.Owner, place string, create bool) (engine.PolicyView, error) {
	k.editing.Lock()
	defer k.editing.Unlock()
	old, exists := k.states.Lookup(doc.Name)
	if exists && create {
		return engine.PolicyView{}, fault.New(fault.Conflict, "Policy '%s' already exists", doc.Name)
	}
	if err := mayChange(old, exists, doc.Name, owner, place); err != nil {
		return engine.PolicyView{}, err
	}
	c := k.begin(actor)
	if err := c.put(doc, owner, place, ""); err != nil {
		return engine.PolicyView{}, err
	}
	if is := c.loop(doc); len(is) > 0 {
		return engine.PolicyView{}, is
	}
	return k.carry(ctx, c, doc.Name)
}

// DeletePolicy removes a policy and closes its firings.
func (k *Keeper) DeletePolicy(ctx context.Context, actor, name string) error {
	k.editing.Lock()
	defer k.editing.Unlock()
	old, exists := k.states.Lookup(name)
	if !exists {
		return k.notFound(name)
	}
	if err := mayChange(old, exists, name, document.API, ""); err != nil {
		return err
	}
	c := k.begin(actor)
	c.drop(name, "the policy was deleted")
	_, err := k.carry(ctx, c, "")
	return err
}

// EnablePolicy turns a policy on or off: a person may stop what this host has by
// itself, whoever owns it. One of Git is what its commit says, and is refused with where
// to say it. A disabled policy is evaluated and leads to nothing.
func (k *Keeper) EnablePolicy(ctx context.Context, actor, name string, on bool) (engine.PolicyView, error) {
	k.editing.Lock()
	defer k.editing.Unlock()
	old, exists := k.states.Lookup(name)
	if !exists {
		return engine.PolicyView{}, k.notFound(name)
	}
	if old.Owner == document.Git {
		return engine.PolicyView{}, fault.New(fault.Conflict, "Policy '%s' belongs to git (%s), which alone turns it on and off", name, old.Place).
			Mend("say enabled: %v there and push; until then a silence holds what it does, and a pause holds everything", on)
	}
	doc := old.Doc
	doc.Enabled = on
	verb := "policy.disable"
	if on {
		verb = "policy.enable"
	}
	c := k.begin(actor)
	if err := c.put(doc, old.Owner, old.Place, verb); err != nil {
		return engine.PolicyView{}, err
	}
	return k.carry(ctx, c, name)
}

// ApplyFolder makes the policies of one owner exactly these documents, in one
// transaction: one issue and nothing of them is applied. Documents of other
// kinds are left to others. That a person disabled a policy is kept, where a person may.
func (k *Keeper) ApplyFolder(ctx context.Context, actor string, owner document.Owner, ds []document.Document) error {
	return k.ApplyRevision(ctx, actor, owner, ds, engine.Beside{})
}

// ApplyRevision is ApplyFolder with what belongs to the policies, in the one
// transaction.
func (k *Keeper) ApplyRevision(ctx context.Context, actor string, owner document.Owner, ds []document.Document, b engine.Beside) error {
	k.editing.Lock()
	defer k.editing.Unlock()
	c, is := k.folder(actor, owner, ds, b.Actions)
	if len(is) > 0 {
		return is
	}
	if len(c.Put) == 0 && len(c.Drop) == 0 && b.Desired == nil && len(b.Audit) == 0 {
		return nil
	}
	c.Decision.Desired = b.Desired
	for _, r := range b.Audit {
		r.At = c.Decision.At
		c.Decision.Audit = append(c.Decision.Audit, r)
	}
	_, err := k.carry(ctx, c, "")
	return err
}

// ValidatePolicy says what is wrong with one document by itself, with these actions
// (nil: none is looked at); how it goes with others is told by FolderChanges. Pure.
func (k *Keeper) ValidatePolicy(d document.Document, with remedy.Actions) fault.Issues {
	doc, is := engine.PolicyFromDocument(d)
	if len(is) > 0 {
		return is
	}
	if _, is = engine.Compile(doc, with, k.memory); len(is) > 0 {
		return engine.Placed(is, d)
	}
	return nil
}

// FolderChanges says what ApplyRevision would do with these actions (nil: those in
// force), "create Policy/disk", and changes nothing. The error is what ApplyRevision
// would refuse the documents with.
func (k *Keeper) FolderChanges(owner document.Owner, ds []document.Document, with remedy.Actions) (says []string, err error) {
	k.editing.Lock()
	defer k.editing.Unlock()
	c, is := k.folder("", owner, ds, with)
	if len(is) > 0 {
		return nil, is
	}
	for _, p := range c.Put {
		verb := "create"
		if p.Version > 1 {
			verb = "change"
		}
		says = append(says, verb+" Policy/"+p.Doc.Name)
	}
	for _, name := range c.Drop {
		says = append(says, "delete Policy/"+name)
	}
	slices.Sort(says)
	return says, nil
}

// folder makes the change that leaves an owner with these documents; the caller
// holds editing.
func (k *Keeper) folder(actor string, owner document.Owner, ds []document.Document, with remedy.Actions) (*change, fault.Issues) {
	var is fault.Issues
	c := k.begin(actor)
	if with != nil {
		c.actions = with
	}
	want := map[string]string{}
	for _, d := range ds {
		if d.Kind != "Policy" {
			continue
		}
		doc, di := engine.PolicyFromDocument(d)
		if len(di) > 0 {
			is = append(is, di...)
			continue
		}
		if first, twice := want[doc.Name]; twice {
			is.Add(d.Place, "policy %s is already defined at %s", doc.Name, first)
			continue
		}
		want[doc.Name] = d.Place
		old, exists := k.states.Lookup(doc.Name)
		if err := mayChange(old, exists, doc.Name, owner, d.Place); err != nil {
			is.Add(d.Place, "%s", err.Error())
			continue
		}
		if exists {
			doc.Enabled = doc.Enabled && (old.Doc.Enabled || owner == document.Git)
			if old.Owner == owner && old.Place == d.Place && sameJSON(old.Doc, doc) {
				continue
			}
		}
		if err := c.put(doc, owner, d.Place, ""); err != nil {
			is = append(is, engine.Placed(err, d)...)
		}
	}
	k.states.Each(func(p shard.Policy) {
		if _, stays := want[p.Doc.Name]; !stays && p.Owner == owner {
			c.drop(p.Doc.Name, "its document is gone")
		}
	})
	for _, p := range c.Put { // when all are known, since they may come in any order
		for _, x := range c.loop(p.Doc) {
			is.Add(p.Place, "%s", x.Msg)
		}
	}
	return c, is
}

// change is one edit in the making.
type change struct {
	evaluate.Change
	k       *Keeper
	actor   string
	actions remedy.Actions // that policies are judged by
}

func (k *Keeper) begin(actor string) *change {
	c := &change{k: k, actor: actor, actions: k.actions}
	c.Decision.At = k.clock()
	return c
}

func (c *change) put(doc engine.PolicyDocument, owner document.Owner, place, verb string) error {
	cond, is := engine.Compile(doc, c.actions, c.k.memory)
	if verb == "policy.disable" { // a person may always stop one, whatever has become of what it names
		cond, is = policy.Compile(doc.Condition)
	}
	if err := is.Err(); err != nil {
		return err
	}
	if is := c.crowd(doc, cond); len(is) > 0 && verb != "policy.disable" {
		return is
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return fault.Wrap(fault.Unprocessable, err, "policy %s", doc.Name)
	}
	now := c.Decision.At
	row := engine.PolicyRow{Name: doc.Name, Owner: string(owner), Place: place, Enabled: doc.Enabled, Text: text, Created: now, Updated: now}
	old, exists := c.k.states.Lookup(doc.Name)
	if exists {
		row.Version, row.Created = old.Version, old.Created
	}
	if verb == "" {
		verb = "policy.create"
		if exists {
			verb = "policy.update"
		}
	}
	c.Decision.Policies = append(c.Decision.Policies, row)
	c.Put = append(c.Put, shard.Policy{
		Doc: doc, Owner: owner, Place: place, Version: row.Version + 1, Created: row.Created, Updated: now, Cond: cond,
	})
	c.Decision.Audit = append(c.Decision.Audit, audit.Record{
		At: now, Actor: c.actor, Verb: verb, Object: "policy:" + doc.Name, Reason: "as its owner " + string(owner) + " says", Evidence: audit.Evidence(doc),
	})
	return nil
}

func (c *change) drop(name, reason string) {
	c.Drop = append(c.Drop, name)
	c.Decision.Deleted = append(c.Decision.Deleted, name)
	c.Decision.Audit = append(c.Decision.Audit, audit.Record{
		At: c.Decision.At, Actor: c.actor, Verb: "policy.delete", Object: "policy:" + name, Reason: reason,
	})
}

// carry applies a change and shows the policy it was about, if one is named.
func (k *Keeper) carry(ctx context.Context, c *change, name string) (engine.PolicyView, error) {
	if err := k.states.Usable(); err != nil {
		return engine.PolicyView{}, err
	}
	if err := k.states.Apply(ctx, c.Change); err != nil {
		return engine.PolicyView{}, err
	}
	k.states.Nudge()
	if name == "" {
		return engine.PolicyView{}, nil
	}
	return k.Policy(name)
}

// Policy shows one policy; NotFound if there is none.
func (k *Keeper) Policy(name string) (engine.PolicyView, error) {
	if v, ok := k.states.View(name); ok {
		return v, nil
	}
	return engine.PolicyView{}, k.notFound(name)
}

// Policies shows all, by name.
func (k *Keeper) Policies() []engine.PolicyView {
	var out []engine.PolicyView
	for _, n := range k.names() {
		if v, ok := k.states.View(n); ok {
			out = append(out, v)
		}
	}
	return out
}

func (k *Keeper) names() (out []string) {
	k.states.Each(func(p shard.Policy) { out = append(out, p.Doc.Name) })
	slices.Sort(out)
	return out
}

func (k *Keeper) notFound(name string) error {
	err := fault.New(fault.NotFound, "Policy '%s' not found", name)
	if near := document.Nearest(name, k.names()); near != "" {
		return err.Mend("did you mean %s?", near)
	}
	return err
}
