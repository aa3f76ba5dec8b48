package ledger_test

import (
	"context"
	"fmt"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
)

// at is the n-th second of a boot.
func at(n int64) clock.Stamp {
	return clock.Stamp{Wall: 1_764_000_000_000_000 + n*1_000_000, Boot: n * 1_000_000_000, BootID: "boot-a"}
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)

func revision(n int64, s engine.RevisionState) engine.Revision {
	v := engine.Revision{N: n, Commit: fmt.Sprintf("%040x", n), Tree: fmt.Sprintf("%040x", n+1<<32), Ref: "refs/heads/main", Subject: "web: more", Author: "Ann <ann@x>",
		Signer: "ann", Source: "push", When: noon, Pusher: "token:ann", Reason: "-o reason=x", Confirmed: true, State: s, Why: "because",
		Starts: 1, Seen: at(n), Items: 3, Changed: 2, Pruned: 1}
	if !s.Open() {
		v.Began, v.Applied, v.Ended = at(n), at(n), at(n+1)
	}
	return v
}

func resource(name, commit string) engine.Resource {
	return engine.Resource{Key: reconcile.Key{Subject: "file:/etc/" + name, Kind: "File", Name: name}, Commit: commit, Hash: "h-" + commit,
		Last: reconcile.State{"exists": "yes", "mode": "0644", "sha256": "e3b0"}, Adopted: true, Prune: true, Written: at(3),
		Heals: reconcile.Heals{Count: 2, Last: noon, Until: noon.Add(time.Second), Field: "mode", Wanted: "0644", Found: "0600"}}
}

func drift(id int64, name, field string) engine.Drift {
	return engine.Drift{ID: id, Ref: "File/" + name, Subject: "file:/etc/" + name, Suspect: "uid 1000",
		Difference: reconcile.Difference{Field: field, Wanted: "0644", Found: "0600", Class: reconcile.Drift, Since: noon}, Found: at(id)}
}

func ended(d engine.Drift, how string) engine.Drift {
	d.Ended, d.How = at(d.ID+1), how
	return d
}

func suspend(id string) engine.Suspend {
	return engine.Suspend{ID: id, Selector: "File/*", Actor: "token:ann", Reason: "by hand today", From: at(1), Until: at(100)}
}

func undo(n, revision int64, before *engine.Resource) engine.Undo {
	return engine.Undo{N: n, Revision: revision, Ref: "File/motd", Summary: "write /etc/motd", Action: "file.write",
		With: map[string]any{"path": "/etc/motd", "sha256": "e3b0", "force": true}, Before: before}
}

func (r *rig) desired() *engine.DesiredSnapshot {
	r.Helper()
	s, err := r.Desired(context.Background())
	if err != nil {
		r.Fatalf("desired: %v", err)
	}
	return s
}

func (r *rig) put(d engine.DesiredDecision) {
	r.Helper()
	r.commit(&engine.Decision{Desired: &d})
}

// all is a decision with a row of every kind.
func all() engine.DesiredDecision {
	motd := resource("motd", "c1")
	return engine.DesiredDecision{
		Revisions: []engine.Revision{revision(1, engine.RevisionGood), revision(2, engine.RevisionApplying), revision(3, engine.RevisionSeen)},
		Resources: []engine.Resource{motd, resource("hosts", "c1"), {Key: reconcile.Key{Subject: "sysctl:a", Kind: "Sysctl", Name: "a"}}},
		Drifts:    []engine.Drift{drift(1, "motd", "mode"), drift(2, "motd", "owner"), ended(drift(3, "hosts", "mode"), "healed")},
		Suspends:  []engine.Suspend{suspend("01A"), suspend("01B")},
		Undo:      []engine.Undo{undo(1, 2, &motd), undo(2, 2, nil), {N: 3, Revision: 2, Ref: "Sysctl/a", Final: "it was never read"}},
	}
}
