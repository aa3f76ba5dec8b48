package apitest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// Desired is a desired state in memory: 250 files of which one differs, and as
// many revisions and drifts. It keeps the words of who asked.
type Desired struct {
	mu        sync.Mutex
	Clock     clock.Clock
	Actors    []string // "verb actor"
	things    []engine.ResourceView
	revisions []engine.Revision
	drifts    []engine.Drift
	suspends  []engine.Suspend
	first     bool
}

// NewDesired makes one.
func NewDesired(c clock.Clock) *Desired {
	d := &Desired{Clock: c}
	for i := range 250 {
		v := engine.ResourceView{Ref: fmt.Sprintf("File/f%03d", i), Kind: "File", Name: fmt.Sprintf("f%03d", i), Subject: fmt.Sprintf("file:/etc/f%03d", i),
			Place: "a.yaml:1:1", Mode: "enforce", Status: "in_sync", Commit: strings.Repeat("a", 40), Written: c(), Looked: c().Time()}
		if i == 7 {
			v.Status = "drifted"
			v.Drift = []reconcile.Difference{{Field: "permissions", Wanted: "0644", Found: "0600", Class: reconcile.Drift, Since: c().Time()}}
		}
		d.things = append(d.things, v)
		state := engine.RevisionReplaced
		if i == 249 {
			state = engine.RevisionGood
		}
		commit := fmt.Sprintf("%040x", i+1)
		if i == 0 {
			commit = "beef" + commit[4:]
		}
		d.revisions = append(d.revisions, engine.Revision{N: int64(i + 1), Commit: commit, Ref: "refs/heads/main", State: state, Seen: c()})
		d.drifts = append(d.drifts, engine.Drift{ID: int64(i + 1), Ref: v.Ref, Subject: v.Subject, Found: c(), Ended: c(), How: "healed",
			Difference: reconcile.Difference{Field: "sha256", Wanted: "aa", Found: "bb", Class: reconcile.Drift}})
	}
	return d
}

func (d *Desired) did(verb, actor string) { d.Actors = append(d.Actors, verb+" "+actor) }

// State is where the host stands.
func (d *Desired) State() engine.DesiredView {
	d.mu.Lock()
	defer d.mu.Unlock()
	return engine.DesiredView{Enabled: true, Mode: "enforce", Source: "push", Branch: "refs/heads/main", Applied: d.revisions[249].Commit, Good: d.revisions[249].Commit,
		State: engine.RevisionGood, Resources: len(d.things), Drifted: 1, Suspends: slices.Clone(d.suspends)}
}

// Resources lists all.
func (d *Desired) Resources() []engine.ResourceView { return d.things }

// Drift lists the one that differs.
func (d *Desired) Drift() []engine.ResourceView { return d.things[7:8] }

func (d *Desired) find(commit string) (engine.Revision, error) {
	for _, r := range d.revisions {
		if r.Commit == commit {
			return r, nil
		}
	}
	return engine.Revision{}, fault.New(fault.NotFound, "there is no commit %s", commit)
}

// Plan has one step.
func (d *Desired) Plan(_ context.Context, commit string) (engine.PlanView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case commit == "broken":
		return engine.PlanView{}, fault.Issues{{Place: "a.yaml:3:5", Msg: "unknown field contnet", Hint: "did you mean content?"}}
	case commit == "":
		commit = d.revisions[249].Commit
	}
	r, err := d.find(commit)
	if err != nil {
		return engine.PlanView{}, err
	}
	return engine.PlanView{Commit: r.Commit, Items: 250, Steps: []engine.PlanStep{{Ref: "File/f007", Action: "file", Summary: "set permissions and owner of /etc/f007", Because: d.things[7].Drift}}}, nil
}

// Resync has nothing to look at.
func (d *Desired) Resync(context.Context) error { return nil }

// Rollback returns to a revision.
func (d *Desired) Rollback(_ context.Context, actor, commit, reason string) (engine.Revision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if commit == "" {
		commit = d.revisions[248].Commit
	}
	r, err := d.find(commit)
	if err != nil {
		return r, err
	}
	d.did("rollback", actor)
	r.N, r.State, r.Reason, r.Return = 251, engine.RevisionSeen, reason, 250
	return r, nil
}

// Retry applies a commit again.
func (d *Desired) Retry(_ context.Context, actor, commit string) (engine.Revision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.find(commit)
	if err == nil && r.State == engine.RevisionGood {
		err = fault.New(fault.Conflict, "%s is not a bad commit", commit)
	}
	if err != nil {
		return r, err
	}
	d.did("retry", actor)
	return r, nil
}

// Suspend keeps a person's word.
func (d *Desired) Suspend(_ context.Context, actor, selector, reason string, length time.Duration) (engine.Suspend, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if length > 30*24*time.Hour {
		return engine.Suspend{}, fault.Issues{{Place: "/for", Msg: "at most 30 days"}}
	}
	d.did("suspend", actor)
	s := engine.Suspend{ID: fmt.Sprintf("s%d", len(d.suspends)+1), Selector: selector, Actor: actor, Reason: reason, From: d.Clock(), Until: d.Clock().Add(length)}
	d.suspends = append(d.suspends, s)
	return s, nil
}

// Unsuspend ends one.
func (d *Desired) Unsuspend(_ context.Context, actor, id, _ string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.suspends {
		if d.suspends[i].ID == id && d.suspends[i].Ended.IsZero() {
			d.suspends[i].Ended = d.Clock()
			d.did("unsuspend", actor)
			return nil
		}
	}
	return fault.New(fault.NotFound, "there is no suspend %s", id)
}

// Desired is asked by nobody here.
func (d *Desired) Desired(context.Context) (*engine.DesiredSnapshot, error) {
	return &engine.DesiredSnapshot{}, nil
}

// Revisions lists newest first.
func (d *Desired) Revisions(_ context.Context, before int64, limit int) (out []engine.Revision, _ error) {
	for i := len(d.revisions) - 1; i >= 0 && len(out) < limit; i-- {
		if r := d.revisions[i]; before == 0 || r.N < before {
			out = append(out, r)
		}
	}
	return out, nil
}

// Drifts lists newest first.
func (d *Desired) Drifts(_ context.Context, before int64, ref string, standing bool, limit int) (out []engine.Drift, _ error) {
	for i := len(d.drifts) - 1; i >= 0 && len(out) < limit; i-- {
		if x := d.drifts[i]; (before == 0 || x.ID < before) && (ref == "" || x.Ref == ref) && (!standing || x.Ended.IsZero()) {
			out = append(out, x)
		}
	}
	return out, nil
}

// Adopt knows /etc/motd.
func (d *Desired) Adopt(_ context.Context, r engine.AdoptRequest) (engine.Manifest, error) {
	if r.What != "/etc/motd" {
		return engine.Manifest{}, fault.New(fault.NotFound, "there is no %s", r.What)
	}
	return engine.Manifest{Ref: "File/etc-motd", Path: "hosts/here/etc-motd.yaml", Document: "apiVersion: vigil/v1\n"}, nil
}

// Contents are those of one file.
func (d *Desired) Contents(_ context.Context, ref string) ([]engine.Contents, error) {
	if ref != "File/f007" {
		return nil, fault.New(fault.NotFound, "no document speaks of %s", ref)
	}
	return []engine.Contents{{Path: "/etc/f007", Wanted: "a\n", Found: "b\n"}}, nil
}

// CommitDrift takes what differs.
func (d *Desired) CommitDrift(_ context.Context, actor string, r engine.DriftRequest) (engine.DriftCommit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Ref != "File/f007" {
		return engine.DriftCommit{}, fault.New(fault.Conflict, "%s stands as its document says", r.Ref)
	}
	d.did("commit", actor)
	return engine.DriftCommit{Ref: r.Ref, Branch: "drift/file-f007", Commit: strings.Repeat("c", 40), Parent: strings.Repeat("a", 40), Changed: []string{"a.yaml"}, Fields: []string{"permissions"}}, nil
}

// First works once.
func (d *Desired) First(_ context.Context, actor string) (engine.FirstCommit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first {
		return engine.FirstCommit{}, fault.New(fault.Conflict, "the repository has commits")
	}
	d.first = true
	d.did("init", actor)
	return engine.FirstCommit{Commit: strings.Repeat("d", 40), Branch: "main", Files: []string{"README.md"}}, nil
}

// Signer is always the same.
func (d *Desired) Signer(context.Context) (engine.Signer, error) {
	return engine.Signer{Mail: "vigild@here", Line: `vigild@here namespaces="git" ssh-ed25519 AAAA`, Print: "SHA256:x"}, nil
}

// DesiredCases is what the routes of the desired state answer, upon NewDesired.
var DesiredCases = []Case{
	{Line: "desired", Method: "GET", Path: "/api/v1/desired", Status: 200, Has: map[string]any{"enabled": true, "applied": Some, "resources": 250.0, "drifted": 1.0, "suspends": []any{}}},
	{Line: "resources", Method: "GET", Path: "/api/v1/resources?limit=2", Status: 200, Has: map[string]any{"total": 250.0, "resources.0.ref": "File/f000", "resources.1.ref": "File/f001", "next": "File/f001"}},
	{Line: "resources next page", Method: "GET", Path: "/api/v1/resources?limit=2&after=File/f001", Status: 200, Has: map[string]any{"resources.0.ref": "File/f002"}},
	{Line: "resources after one that went", Method: "GET", Path: "/api/v1/resources?limit=1&after=File/f001a", Status: 200, Has: map[string]any{"resources.0.ref": "File/f002"}},
	{Line: "resources last page", Method: "GET", Path: "/api/v1/resources?after=File/f248", Status: 200, Has: map[string]any{"resources.0.ref": "File/f249", "next": nil}},
	{Line: "resources of a status", Method: "GET", Path: "/api/v1/resources?status=drifted", Status: 200, Has: map[string]any{"total": 1.0, "resources.0.ref": "File/f007"}},
	{Line: "resources of a kind", Method: "GET", Path: "/api/v1/resources?kind=Service", Status: 200, Has: map[string]any{"total": 0.0, "resources": []any{}}},
	{Line: "resources of a bad status", Method: "GET", Path: "/api/v1/resources?status=odd", Status: 422, Loc: "enum@query.status"},
	{Line: "resource", Method: "GET", Path: "/api/v1/resources/File/f007", Status: 200, Has: map[string]any{"status": "drifted", "drift.0.field": "permissions", "drift.0.class": "drift", "drift.0.since": Some, "place": "a.yaml:1:1", "written_at": Some, "looked_at": Some}},
	{Line: "resource that is none", Method: "GET", Path: "/api/v1/resources/File/none", Status: 404},
	{Line: "content", Method: "GET", Path: "/api/v1/resources/File/f007/content", Status: 200, Has: map[string]any{"files.0.wanted": "a\n", "files.0.found": "b\n"}},
	{Line: "content of nothing", Method: "GET", Path: "/api/v1/resources/File/none/content", Status: 404},
	{Line: "drift", Method: "GET", Path: "/api/v1/drift", Status: 200, Has: map[string]any{"total": 1.0, "resources.0.ref": "File/f007", "resources.0.drift.0.found": "0600"}},
	{Line: "drift history", Method: "GET", Path: "/api/v1/drift/history?limit=2", Status: 200, Has: map[string]any{"drifts.0.id": 250.0, "drifts.0.how": "healed", "drifts.0.field": "sha256", "drifts.0.found_at": Some, "next": "249"}},
	{Line: "drift history next page", Method: "GET", Path: "/api/v1/drift/history?limit=2&before=249", Status: 200, Has: map[string]any{"drifts.0.id": 248.0}},
	{Line: "drift history of one", Method: "GET", Path: "/api/v1/drift/history?ref=File/f003", Status: 200, Has: map[string]any{"drifts.0.id": 4.0, "next": nil}},
	{Line: "drift history that stands", Method: "GET", Path: "/api/v1/drift/history?standing=true", Status: 200, Has: map[string]any{"drifts": []any{}}},
	{Line: "drift history of no cursor", Method: "GET", Path: "/api/v1/drift/history?before=x", Status: 422, Loc: "value_error@query.before"},
	{Line: "resync", Method: "POST", Path: "/api/v1/drift/resync", Status: 200, Has: map[string]any{"ok": true, "message": "250 things looked at, 1 differ"}},
	{Line: "revisions", Method: "GET", Path: "/api/v1/revisions?limit=3", Status: 200, Has: map[string]any{"revisions.0.n": 250.0, "revisions.0.state": "good", "next": "248"}},
	{Line: "revisions next page", Method: "GET", Path: "/api/v1/revisions?before=248&limit=1", Status: 200, Has: map[string]any{"revisions.0.n": 247.0}},
	{Line: "revision", Method: "GET", Path: "/api/v1/revisions/7", Status: 200, Has: map[string]any{"n": 7.0, "seen_at": Some, "ended_at": nil}},
	{Line: "revision that is none", Method: "GET", Path: "/api/v1/revisions/999", Status: 404, Detail: "there is no revision 999"},
	{Line: "revision of no number", Method: "GET", Path: "/api/v1/revisions/x", Status: 422, Loc: "int_parsing@path.n"},
	{Line: "plan", Method: "GET", Path: "/api/v1/plan", Status: 200, Has: map[string]any{"items": 250.0, "steps.0.ref": "File/f007", "steps.0.because.0.wanted": "0644", "held": []any{}, "unseen": []any{}, "own": []any{}}},
	{Line: "plan of no commit", Method: "GET", Path: "/api/v1/plan?commit=none", Status: 404},
	{Line: "plan of bad documents", Method: "GET", Path: "/api/v1/plan?commit=broken", Status: 422, Has: map[string]any{"detail": "^a.yaml:3:5: unknown field"}},
	{Line: "rollback", Method: "POST", Path: "/api/v1/revisions/rollback", Body: `{"reason":"the site is down"}`, Status: 202, Has: map[string]any{"n": 251.0, "return": 250.0, "state": "seen"}},
	{Line: "rollback without a reason", Method: "POST", Path: "/api/v1/revisions/rollback", Body: `{}`, Status: 422, Loc: "missing@body.reason"},
	{Line: "rollback to nothing", Method: "POST", Path: "/api/v1/revisions/rollback", Body: `{"commit":"dead","reason":"r"}`, Status: 404},
	{Line: "retry", Method: "POST", Path: "/api/v1/revisions/retry", Body: `{"commit":"0000000000000000000000000000000000000003"}`, Status: 202, Has: map[string]any{"n": 3.0}},
	{Line: "retry of a short commit that several begin with", Method: "POST", Path: "/api/v1/revisions/retry", Body: `{"commit":"0000"}`, Status: 409, Has: map[string]any{"detail": "^0000 is short for several commits"}},
	{Line: "retry of a short commit", Method: "POST", Path: "/api/v1/revisions/retry", Body: `{"commit":"beef0"}`, Status: 202, Has: map[string]any{"n": 1.0}},
	{Line: "retry of a good one", Method: "POST", Path: "/api/v1/revisions/retry", Body: `{"commit":"00000000000000000000000000000000000000fa"}`, Status: 409},
	{Line: "suspend", Method: "POST", Path: "/api/v1/suspends", Body: `{"selector":"File/*","reason":"by hand","for":"2h"}`, Status: 201, Has: map[string]any{"id": "s1", "selector": "File/*", "until": Some, "actor": "token:t-admin"}},
	{Line: "suspend without an end", Method: "POST", Path: "/api/v1/suspends", Body: `{"selector":"*","reason":"r"}`, Status: 422, Loc: "missing@body.for"},
	{Line: "suspend without a reason", Method: "POST", Path: "/api/v1/suspends", Body: `{"selector":"*","for":"1h"}`, Status: 422, Loc: "missing@body.reason"},
	{Line: "suspend for too long", Method: "POST", Path: "/api/v1/suspends", Body: `{"selector":"*","reason":"r","for":"31d"}`, Status: 422, Loc: "value_error@body.for"},
	{Line: "suspends", Method: "GET", Path: "/api/v1/suspends", Status: 200, Has: map[string]any{"suspends.0.id": "s1"}},
	{Line: "unsuspend", Method: "DELETE", Path: "/api/v1/suspends/s1?reason=done", Status: 200, Has: map[string]any{"ok": true}},
	{Line: "unsuspend twice", Method: "DELETE", Path: "/api/v1/suspends/s1", Status: 404},
	{Line: "suspends that ended", Method: "GET", Path: "/api/v1/suspends", Status: 200, Has: map[string]any{"suspends": []any{}}},
	{Line: "drift to a commit", Method: "POST", Path: "/api/v1/drift/commit", Body: `{"ref":"File/f007","reason":"it is right so"}`, Status: 201, Has: map[string]any{"branch": "drift/file-f007", "fields.0": "permissions", "left": []any{}}},
	{Line: "drift to a commit of what does not differ", Method: "POST", Path: "/api/v1/drift/commit", Body: `{"ref":"File/f001"}`, Status: 409},
	{Line: "adopt", Method: "POST", Path: "/api/v1/adopt", Body: `{"what":"/etc/motd"}`, Status: 200, Has: map[string]any{"ref": "File/etc-motd", "document": Some, "files": []any{}, "warnings": []any{}}},
	{Line: "adopt nothing", Method: "POST", Path: "/api/v1/adopt", Body: `{"what":"/none"}`, Status: 404},
	{Line: "adopt of a bad kind", Method: "POST", Path: "/api/v1/adopt", Body: `{"what":"x","kind":"user"}`, Status: 422, Loc: "enum@body.kind"},
	{Line: "init", Method: "POST", Path: "/api/v1/git/init", Status: 201, Has: map[string]any{"branch": "main", "files.0": "README.md"}},
	{Line: "signer", Method: "GET", Path: "/api/v1/git/signer", Status: 200, Has: map[string]any{"mail": "vigild@here", "line": Some, "fingerprint": "SHA256:x"}},
	{Line: "init twice", Method: "POST", Path: "/api/v1/git/init", Status: 409},
}
