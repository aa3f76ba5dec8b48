package engine

import (
	"context"
	"time"

	"vigil/engine/clock"
	"vigil/engine/reconcile"
)

// ResourceView is one thing that should be in some way, as it stands.
type ResourceView struct {
	Ref      string                 `json:"ref"` // Kind/name
	Kind     string                 `json:"kind"`
	Name     string                 `json:"name"`
	Subject  string                 `json:"subject"`
	Place    string                 `json:"place,omitempty"` // file:line:column of its document
	Mode     string                 `json:"mode"`
	Level    int                    `json:"level"`
	Status   string                 `json:"status"`           // in_sync, drifted, pending, healing, held, suspended, stopped, unseen, orphan
	Reason   string                 `json:"reason,omitempty"` // why it is not healed, or cannot be seen
	Drift    []reconcile.Difference `json:"drift,omitempty"`
	Commit   string                 `json:"commit,omitempty"` // whose document was written last
	Written  clock.Stamp            `json:"-"`
	Looked   time.Time              `json:"looked"` // when it was last compared
	Heals    int                    `json:"heals"`  // in a row
	NextHeal time.Time              `json:"next_heal,omitzero"`
	Paths    []string               `json:"paths,omitempty"`
	Units    []string               `json:"units,omitempty"`
}

// PlanStep is one act that a revision would ask for.
type PlanStep struct {
	Ref     string                 `json:"ref"`
	Level   int                    `json:"level"`
	Action  string                 `json:"action"`
	Summary string                 `json:"summary"`
	Final   string                 `json:"cannot_be_undone,omitempty"` // why
	Prune   bool                   `json:"prune,omitempty"`
	Because []reconcile.Difference `json:"because,omitempty"`
}

// PlanView is what a revision would change now.
type PlanView struct {
	Commit  string         `json:"commit"`
	From    string         `json:"from,omitempty"` // the commit that holds now
	Items   int            `json:"items"`          // things that it speaks of
	Steps   []PlanStep     `json:"steps"`
	Held    []ResourceView `json:"held,omitempty"`    // differs, and would be left: detect, hold, suspended, or no step puts it right
	Unseen  []ResourceView `json:"unseen,omitempty"`  // cannot be looked at now
	Own     []string       `json:"own,omitempty"`     // policies and the like: "create Policy/disk"
	Refused string         `json:"refused,omitempty"` // why it would not be applied at all
}

// DesiredView is where the host stands, in one look.
type DesiredView struct {
	Enabled   bool          `json:"enabled"`
	Mode      string        `json:"mode"` // enforce or detect
	Source    string        `json:"source,omitempty"`
	Branch    string        `json:"branch,omitempty"`
	Applied   string        `json:"applied,omitempty"` // commit
	Good      string        `json:"good,omitempty"`    // commit
	State     RevisionState `json:"state,omitempty"`   // of the newest revision
	Why       string        `json:"why,omitempty"`
	Resources int           `json:"resources"`
	Drifted   int           `json:"drifted"`
	Unseen    int           `json:"unseen"`            // cannot be looked at
	Stopped   int           `json:"stopped"`           // fights: heals that stopped themselves
	Stalled   string        `json:"stalled,omitempty"` // why the source's tip is not what holds
	Unread    string        `json:"unread,omitempty"`  // why nothing is compared: the documents that hold cannot be read
	Suspends  []Suspend     `json:"-"`
}

// Desired is the keeper of desired state as the faces see it. Its methods may be
// called concurrently; those that change something return once it is on disk.
type Desired interface {
	// State is where the host stands. It does not block.
	State() DesiredView
	// Resources lists every thing with how it stood when last looked at, by Ref.
	Resources() []ResourceView
	// Drift lists those that differ.
	Drift() []ResourceView
	// Plan says what would be done about a commit that is in the repository; "" is
	// the newest revision. It looks at the machine and changes nothing; it blocks.
	// NotFound: no such commit. fault.Issues: its documents are not right.
	Plan(ctx context.Context, commit string) (PlanView, error)
	// Resync looks at everything now and returns when that is done.
	Resync(ctx context.Context) error
	// Rollback returns to a revision that was good before ("" the newest such
	// before the one that holds); what holds now is marked bad and not tried again
	// until the branch moves on. It returns the new revision, which is being applied.
	Rollback(ctx context.Context, actor, commit, reason string) (Revision, error)
	// Retry takes a commit out of the memory of bad ones and applies it again.
	Retry(ctx context.Context, actor, commit string) (Revision, error)
	// Suspend leaves things alone for a while: selector is "*" or Kind/name with
	// stars. Reason and end are required; at most 30 days.
	Suspend(ctx context.Context, actor, selector, reason string, length time.Duration) (Suspend, error)
	// Unsuspend ends one before its time; NotFound.
	Unsuspend(ctx context.Context, actor, id, reason string) error
}
