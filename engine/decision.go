package engine

import (
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Decision is everything one step of the engine wants written, as one value.
// It is built without I/O and committed in one transaction.
type Decision struct {
	At       clock.Stamp
	Position uint64 // log position evaluated by this step; 0 leaves it alone

	Firings      []FiringRow
	Policies     []PolicyRow          // put
	Deleted      []string             // policies
	Remediations []remedy.Remediation // new ones; ids come back in the receipt
	Claims       map[int]remedy.Claim // of new remediations, by place: they are claimed in this very transaction
	Moves        []RemediationMove
	Holds        []Hold   // put: pauses, silences, maintenance windows, hands-off
	Released     []string // holds ended before their time, by id
	Desired      *DesiredDecision
	Audit        []audit.Record
}

// RemediationMove changes an existing remediation that is at Version.
type RemediationMove struct {
	Version int64
	Move    remedy.Move
}

// FiringRow is the persisted state of one instance. One open row per policy and
// fingerprint.
type FiringRow struct {
	Policy      string
	Fingerprint uint64
	Labels      series.Labels
	Target      string
	Version     int64 // the row's version before this write; 0 for a new row
	State       policy.Firing
	Closed      string // reason, when the row is closed for good (policy edited, series gone)
	Evaluation  uint64 // log position of the evaluation that wrote it
}

// PolicyRow is a policy as it lies in the ledger.
type PolicyRow struct {
	Name    string
	Owner   string // document.Owner
	Place   string
	Enabled bool
	Text    []byte // the document as canonical JSON: PolicyDocument
	Version int64  // before this write; 0 creates
	Created clock.Stamp
	Updated clock.Stamp
}

// HoldKind is what a hold stops.
type HoldKind string

// The kinds of hold.
const (
	HoldPause       HoldKind = "pause"       // everything
	HoldSilence     HoldKind = "silence"     // instances its matchers select
	HoldMaintenance HoldKind = "maintenance" // instances its matchers select, in its windows
	HoldHandsOff    HoldKind = "hands_off"   // one subject
)

// Hold is a person's word that something must not be acted on.
type Hold struct {
	ID       string // ULID-like, made by the engine
	Kind     HoldKind
	Owner    string // document.Owner
	Actor    string
	Reason   string
	Matchers string // selector text; "" everything
	Subject  string // hands_off
	Schedule string // maintenance: cron expression, "" once
	Zone     string // of the schedule, IANA name, "" UTC
	Length   int64  // maintenance with schedule: ns
	From     clock.Stamp
	Until    clock.Stamp
	Ended    clock.Stamp // zero while it stands
	Created  clock.Stamp
}

// Snapshot is everything the engine starts from.
type Snapshot struct {
	Position      uint64
	Policies      []PolicyRow
	Firings       []FiringRow // open ones
	Holds         []Hold      // not ended
	Epoch         int64
	UncleanStarts []clock.Stamp // starts without a clean stop before them, newest last
	Replaced      string        // why the ledger that was there could not be used, "" if it was
}
