package stand

import (
	"fmt"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
)

// At is the n-th second of a boot.
func At(n int64) clock.Stamp {
	return clock.Stamp{Wall: 1_764_000_000_000_000 + n*1_000_000, Boot: n * 1_000_000_000, BootID: "boot-a"}
}

// Noon is some time of the wall clock alone.
var Noon = time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)

// Revision is the n-th, in a state.
func Revision(n int64, s engine.RevisionState) engine.Revision {
	v := engine.Revision{N: n, Commit: fmt.Sprintf("%040x", n), Tree: fmt.Sprintf("%040x", n+1<<32), Ref: "refs/heads/main", Subject: "web: more", Author: "Ann <ann@x>",
		Signer: "ann", Source: "push", When: Noon, Pusher: "token:ann", Reason: "-o reason=x", Confirmed: true, State: s, Why: "because",
		Starts: 1, Seen: At(n), Items: 3, Changed: 2, Pruned: 1}
	if !s.Open() {
		v.Began, v.Applied, v.Ended = At(n), At(n), At(n+1)
	}
	return v
}

// Resource is what is remembered of a file.
func Resource(name, commit string) engine.Resource {
	return engine.Resource{Key: reconcile.Key{Subject: "file:/etc/" + name, Kind: "File", Name: name}, Commit: commit, Hash: "h-" + commit,
		Last: reconcile.State{"exists": "yes", "mode": "0644", "sha256": "e3b0"}, Adopted: true, Prune: true, Written: At(3),
		Heals: reconcile.Heals{Count: 2, Last: Noon, Until: Noon.Add(time.Second), Field: "mode", Wanted: "0644", Found: "0600"}}
}

// Drift is a difference of a file that stands.
func Drift(id int64, name, field string) engine.Drift {
	return engine.Drift{ID: id, Ref: "File/" + name, Subject: "file:/etc/" + name, Suspect: "uid 1000",
		Difference: reconcile.Difference{Field: field, Wanted: "0644", Found: "0600", Class: reconcile.Drift, Since: Noon}, Found: At(id)}
}

// Ended is a drift with its end.
func Ended(d engine.Drift, how string) engine.Drift {
	d.Ended, d.How = At(d.ID+1), how
	return d
}

// Suspend is one of all files.
func Suspend(id string) engine.Suspend {
	return engine.Suspend{ID: id, Selector: "File/*", Actor: "token:ann", Reason: "by hand today", From: At(1), Until: At(100)}
}

// Undo is a step of the journal.
func Undo(n, revision int64, before *engine.Resource) engine.Undo {
	return engine.Undo{N: n, Revision: revision, Ref: "File/motd", Summary: "write /etc/motd", Action: "file.write",
		With: map[string]any{"path": "/etc/motd", "sha256": "e3b0", "force": true}, Before: before}
}

// All is a decision with a row of every kind.
func All() engine.DesiredDecision {
	motd := Resource("motd", "c1")
	return engine.DesiredDecision{
		Revisions: []engine.Revision{Revision(1, engine.RevisionGood), Revision(2, engine.RevisionApplying), Revision(3, engine.RevisionSeen)},
		Resources: []engine.Resource{motd, Resource("hosts", "c1"), {Key: reconcile.Key{Subject: "sysctl:a", Kind: "Sysctl", Name: "a"}}},
		Drifts:    []engine.Drift{Drift(1, "motd", "mode"), Drift(2, "motd", "owner"), Ended(Drift(3, "hosts", "mode"), "healed")},
		Suspends:  []engine.Suspend{Suspend("01A"), Suspend("01B")},
		Undo:      []engine.Undo{Undo(1, 2, &motd), Undo(2, 2, nil), {N: 3, Revision: 2, Ref: "Sysctl/a", Final: "it was never read"}},
	}
}
