// Package desired is the desired state as the HTTP face shows and steers it:
// where the host stands, resources, drift, revisions, plans, suspends, and the
// other direction from the machine to documents and commits.
//
// A handler reads its input, calls one method of engine.Desired, DesiredReader or
// Reverse, and turns the answer into the contract's shape. It refuses to tell
// the content of files but to who may administer: a difference shows a sha256. A
// daemon without desired state answers 501 and says which setting is off. It
// holds no state; handlers may be called concurrently.
package desired

import (
	"net/http"
	"regexp"
	"time"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// Deps is what the handlers need; any may be nil, and then its routes answer 501.
type Deps struct {
	Desired engine.Desired
	Reader  engine.DesiredReader
	Reverse engine.Reverse
}

// Desired is the face.
type Desired struct{ Deps }

// New makes the face; it starts nothing.
func New(d Deps) *Desired { return &Desired{d} }

// Register adds every operation to the face.
func (d *Desired) Register(r *face.Registrar) {
	d.state(r)
	d.resources(r)
	d.drifts(r)
	d.revisions(r)
	d.suspends(r)
	d.reverse(r)
}

// off is the answer of a daemon that has no desired state.
func off() error {
	return face.As(http.StatusNotImplemented, fault.New(fault.Unsupported, "git is off here: there is no desired state").
		Mend("the local config turns it on with [git] enabled = true"))
}

func (d *Desired) on() error {
	if d.Deps.Desired == nil || d.Reader == nil {
		return off()
	}
	return nil
}

func (d *Desired) reversing() error {
	if d.Deps.Desired == nil || d.Reverse == nil {
		return off()
	}
	return nil
}

// moment is a time that may be never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// secretKey is the last part of a managed key whose value is nobody's business:
// somebody may have put a secret there by hand.
var secretKey = regexp.MustCompile(`(?i)^(json|yaml|toml|ini):.*(passw|passphrase|secret|token|credential|private|api[_-]?key)[^/]*$`)

func wireDifference(x reconcile.Difference) contract.Difference {
	if secretKey.MatchString(x.Field) {
		x.Wanted, x.Found = hidden(x.Wanted), hidden(x.Found)
	}
	return contract.Difference{Field: x.Field, Wanted: x.Wanted, Found: x.Found, Class: string(x.Class), Since: moment(x.Since)}
}

// hidden stands for a value that is not shown; that there is none is.
func hidden(v string) string {
	if v == "" {
		return ""
	}
	return "(not shown)"
}

func wireDifferences(xs []reconcile.Difference) []contract.Difference {
	out := make([]contract.Difference, len(xs))
	for i, x := range xs {
		out[i] = wireDifference(x)
	}
	return out
}

func wireResource(v engine.ResourceView) contract.Resource {
	return contract.Resource{
		Ref: v.Ref, Kind: v.Kind, Name: v.Name, Subject: v.Subject, Place: v.Place, Mode: v.Mode, Level: v.Level,
		Status: v.Status, Reason: v.Reason, Drift: wireDifferences(v.Drift), Commit: v.Commit, WrittenAt: contract.Maybe(v.Written),
		LookedAt: moment(v.Looked), Heals: v.Heals, NextHeal: moment(v.NextHeal), Paths: v.Paths, Units: v.Units,
	}
}

func wireResources(vs []engine.ResourceView) []contract.Resource {
	out := make([]contract.Resource, len(vs))
	for i, v := range vs {
		out[i] = wireResource(v)
	}
	return out
}

func wireSuspend(s engine.Suspend) contract.Suspend {
	return contract.Suspend{ID: s.ID, Selector: s.Selector, Actor: s.Actor, Reason: s.Reason, From: contract.Maybe(s.From), Until: contract.Maybe(s.Until)}
}

func wireSuspends(ss []engine.Suspend) []contract.Suspend {
	out := []contract.Suspend{}
	for _, s := range ss {
		if s.Ended.IsZero() {
			out = append(out, wireSuspend(s))
		}
	}
	return out
}

func wireRevision(r engine.Revision) contract.Revision {
	return contract.Revision{
		N: r.N, Commit: r.Commit, Tree: r.Tree, Ref: r.Ref, Subject: r.Subject, Author: r.Author, Signer: r.Signer, Source: r.Source,
		When: moment(r.When), Pusher: r.Pusher, Reason: r.Reason, Confirmed: r.Confirmed, Return: r.Return,
		State: string(r.State), Why: r.Why, Starts: r.Starts,
		SeenAt: contract.Maybe(r.Seen), BeganAt: contract.Maybe(r.Began), AppliedAt: contract.Maybe(r.Applied), EndedAt: contract.Maybe(r.Ended),
		Items: r.Items, Changed: r.Changed, Pruned: r.Pruned,
	}
}

func wireDrift(x engine.Drift) contract.Drift {
	return contract.Drift{ID: x.ID, Ref: x.Ref, Subject: x.Subject, Difference: wireDifference(x.Difference), Suspect: x.Suspect,
		FoundAt: contract.Maybe(x.Found), EndedAt: contract.Maybe(x.Ended), How: x.How}
}
