package engine

import (
	"context"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// RevisionState is where a revision is in its life.
type RevisionState string

// The states of a revision.
const (
	RevisionSeen     RevisionState = "seen"     // landed; its turn has not come
	RevisionApplying RevisionState = "applying" // its plan is carried out
	RevisionChecking RevisionState = "checking" // applied; health and soak are looked at
	RevisionUndoing  RevisionState = "undoing"  // it failed; what it did is taken back
	RevisionGood     RevisionState = "good"
	RevisionBad      RevisionState = "bad"      // failed, or a person went back from it: not tried again
	RevisionReplaced RevisionState = "replaced" // a newer one came before it was good
	RevisionRefused  RevisionState = "refused"  // its documents or a guard: nothing of it was applied
)

// Open says that the host still has something to do about the revision.
func (s RevisionState) Open() bool {
	return s == RevisionSeen || s == RevisionApplying || s == RevisionChecking || s == RevisionUndoing
}

// Revision is one commit on its way to be how the host is, as it lies in the
// ledger. The same commit may come again (a return to it): that is a row of its own.
type Revision struct {
	N       int64 // given by the keeper, one more for each
	Commit  string
	Tree    string
	Ref     string // refs/heads/main
	Subject string
	Author  string
	Signer  string // "" nobody known
	Source  string // push, path, remote
	When    time.Time

	Pusher    string
	Reason    string
	Confirmed bool  // many removals are meant
	Return    int64 // N of the revision that was left for this one, which was good before; 0 for one that landed

	State                       RevisionState
	Why                         string // of the newest change of state, for people
	Starts                      int    // times that its apply was begun
	Seen, Began, Applied, Ended clock.Stamp

	Items, Changed, Pruned int // things wanted; steps taken for it; things taken away
}

// Resource is what is remembered of one thing that a document once spoke of.
type Resource struct {
	Key     reconcile.Key
	Commit  string          // whose document was written last
	Hash    string          // of that document
	Last    reconcile.State // last written; nil: never
	Adopted bool            // it was there before; never taken away
	Prune   bool            // it may be taken away when no document wants it
	Written clock.Stamp
	Heals   reconcile.Heals
}

// Drift is one difference that was found, with its end.
type Drift struct {
	ID      int64  // given by the keeper
	Ref     string // Kind/name
	Subject string
	reconcile.Difference
	Suspect string      // who may have done it, looked for when a thing changes again after a heal; "" unknown
	Found   clock.Stamp // when
	Ended   clock.Stamp // zero while it stands
	How     string      // healed, gone, replaced: how it ended
}

// Suspend is a person's word that things drift unhealed for a while.
type Suspend struct {
	ID       string
	Selector string // "*", Kind/name with stars
	Actor    string
	Reason   string
	From     clock.Stamp
	Until    clock.Stamp
	Ended    clock.Stamp // zero while it stands
}

// Undo is one step of the journal: how to take back a step of a revision. It is
// on disk before the step is asked for.
type Undo struct {
	N        int64 // order of the steps, given by the keeper
	Revision int64
	Ref      string
	Summary  string // of the step
	Action   string // "" when it cannot be taken back
	With     map[string]any
	Final    string    // why it cannot
	Before   *Resource // what was remembered of the thing; nil nothing
}

// CheckRow is a check of the repository, kept so that it goes on while the
// repository cannot be read.
type CheckRow struct {
	Name  string
	Place string // file:line:column in the repository
	Text  []byte // the document; see document.Document.Text
}

// EntryRow is an entry of the catalogue that the repository defines, kept so that it
// is there before the repository is read, and while it cannot be.
type EntryRow struct {
	Name   string
	Place  string // file:line:column in the repository
	Commit string // that brought it as it is
	Text   []byte // the document; see document.Document.Text
}

// DesiredDecision is the part of a Decision that is about desired state.
type DesiredDecision struct {
	Revisions []Revision  // put, by N
	Resources []Resource  // put, by Key.Ref()
	Forgotten []string    // resources no longer remembered, by Ref
	Drifts    []Drift     // put, by ID
	Suspends  []Suspend   // put, by ID
	Undo      []Undo      // put, by N
	Undone    []int64     // steps of the journal that are done with, by N
	Settled   int64       // the journal up to this N is done with; 0 leaves it alone
	Checks    *[]CheckRow // all there are from now on; nil leaves them alone
	Entries   *[]EntryRow // the same
}

// Beside is what belongs to the policies of a revision.
type Beside struct {
	Actions remedy.Actions   // that they are judged by; nil: those in force
	Desired *DesiredDecision // written in the same transaction; nil: nothing
	Audit   []audit.Record   // the same
}

// Rows is how many rows it writes; of nil none.
func (d *DesiredDecision) Rows() int {
	if d == nil {
		return 0
	}
	n := len(d.Revisions) + len(d.Resources) + len(d.Forgotten) + len(d.Drifts) + len(d.Suspends) + len(d.Undo) + len(d.Undone)
	if d.Checks != nil {
		n += len(*d.Checks)
	}
	if d.Entries != nil {
		n += len(*d.Entries)
	}
	return n
}

// DesiredSnapshot is everything that the keeper of the desired state starts from.
type DesiredSnapshot struct {
	Revisions                         []Revision // open ones, the newest good one, and what came after it, by N
	Resources                         []Resource
	Drifts                            []Drift              // that stand
	Suspends                          []Suspend            // not ended
	Undo                              []Undo               // by N
	Checks                            []CheckRow           // by Name
	Entries                           []EntryRow           // by Name
	Active                            []remedy.Remediation // of source reconcile, not final
	LastRevision, LastDrift, LastUndo int64
}

// DesiredReader is what is read back of desired state. It blocks on disk;
// concurrent.
type DesiredReader interface {
	// Desired reads everything the keeper starts from, as of one moment.
	Desired(ctx context.Context) (*DesiredSnapshot, error)
	// Revisions lists newest first; those with N < before (0: all), at most limit.
	Revisions(ctx context.Context, before int64, limit int) ([]Revision, error)
	// Drifts lists newest first; those with ID < before (0: all), of one ref (""
	// any), at most limit; standing alone on demand.
	Drifts(ctx context.Context, before int64, ref string, standing bool, limit int) ([]Drift, error)
}
