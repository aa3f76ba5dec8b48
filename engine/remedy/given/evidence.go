// Package given is what a decision about a remediation stood on, and what came of it,
// as its audit record holds it. Package decide writes it, package record decides by it
// again.
//
// It refuses to decide. All of it is pure.
package given

import (
	"encoding/json"
	"strconv"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/remedy"
)

// Edition counts the changes of what is said. A record of another edition is held
// to its decision by the gates of that edition, but not to its words: raise it when a
// reason is reworded, and when a gate comes that is Since then.
const Edition = 1

// MostTold is how many records one move tells at most: those of an opened or ended
// attempt, of its remediation, and of a breaker or brake.
const MostTold = 4

// Evidence is what a decision about a remediation stood on, and what came of it, as
// its audit record holds it: with the record itself and the configuration of that
// digest it is all that deciding again takes.
type Evidence struct {
	Gates      Answers         `json:"gates,omitempty"`
	Action     string          `json:"action,omitempty"`
	Subject    string          `json:"subject,omitempty"`
	Class      remedy.Class    `json:"class,omitempty"`
	Cost       float64         `json:"cost,omitempty"`
	Rung       int             `json:"rung,omitempty"`
	Try        int             `json:"try,omitempty"`
	Evaluation uint64          `json:"evaluation,omitempty"`
	Condition  json.RawMessage `json:"condition,omitempty"`
	Given      *Given          `json:"given,omitempty"` // nil in records of before it was kept
	Then       *Then           `json:"then,omitempty"`
}

// Answers are those of the gates, in the order they were asked.
type Answers []Answered

// Answered is one gate's answer.
type Answered struct {
	Gate   string `json:"gate"`
	Answer string `json:"answer"`
	Reason string `json:"reason,omitempty"`
}

type spelled Answered // without methods

// MarshalJSON writes a gate that admitted as its name alone. Most do, at each act.
func (as Answers) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 192), '[')
	for i, a := range as {
		if i > 0 {
			b = append(b, ',')
		}
		if a.Answer == remedy.Admit.String() && a.Reason == "" {
			b = strconv.AppendQuote(b, a.Gate) // a word of ours
			continue
		}
		b = append(b, audit.Evidence(spelled(a))...)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads both spellings.
func (a *Answered) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*a = Answered{Answer: remedy.Admit.String()}
		return json.Unmarshal(b, &a.Gate)
	}
	return json.Unmarshal(b, (*spelled)(a))
}

// The decisions beside the claim, by name.
const (
	OnClaim     = "" // asked the gates
	OnEnd       = "end"
	OnNoStart   = "no_start"
	OnProof     = "proof"
	OnRecovery  = "recovery"
	OnOrphan    = "orphan"
	OnReject    = "reject"
	OnOffer     = "offer"     // whether it may be offered to outside remediators at all
	OnOutside   = "outside"   // held before an outside remediator took it
	OnUnclaimed = "not_taken" // waits for an outside remediator
)

// Given is what a decision was given. Moments are seen from that of the record.
type Given struct {
	Edition int    `json:"edition"`
	Config  string `json:"config,omitempty"` // its digest; none where none is looked at
	What    string `json:"what,omitempty"`
	Row     Row    `json:"row"`
	Facts   *Seen  `json:"facts,omitempty"` // what the gates were told
	Past    *Tally `json:"past,omitempty"`  // nil: no gate that counts was asked
	End     *End   `json:"end,omitempty"`   // of an act or a verification
}

// Row is the remediation before the decision, as far as it is looked at.
type Row struct {
	ID         int64         `json:"id"`
	Source     remedy.Source `json:"source"`
	Policy     string        `json:"policy,omitempty"`
	Actor      string        `json:"actor,omitempty"`
	Target     string        `json:"target,omitempty"`
	State      remedy.State  `json:"state"`
	Attempt    int           `json:"attempt,omitempty"`
	GaveUps    int           `json:"gave_ups,omitempty"`
	Gate       string        `json:"gate,omitempty"`
	Since      When          `json:"since,omitzero"`
	Until      When          `json:"until,omitzero"`
	Approval   bool          `json:"approval,omitempty"`
	ApprovedBy string        `json:"approved_by,omitempty"`
	ApproveBy  When          `json:"approve_by,omitzero"`

	// Of its plan.
	Mode     string             `json:"mode,omitempty"` // where that is not act
	Open     bool               `json:"open,omitempty"`
	Asked    bool               `json:"asked,omitempty"`
	Cooldown *document.Duration `json:"cooldown,omitempty"`
	Limit    *remedy.Limit      `json:"limit,omitempty"`
	Cost     *float64           `json:"cost,omitempty"`
	Consent  *remedy.Approval   `json:"consent,omitempty"`
	Backoff  *remedy.Backoff    `json:"backoff,omitempty"`
	Ladder   []Step             `json:"ladder,omitempty"` // the current rung and the next; not kept for a claim
}

// Step is a rung as far as it is looked at after an act.
type Step struct {
	Action  string             `json:"action"`
	Tries   int                `json:"tries,omitempty"`
	Timeout *document.Duration `json:"timeout,omitempty"`
}

// Seen are the facts. What is as it should be is left out.
type Seen struct {
	Paused        string `json:"paused,omitempty"`
	PausedUntil   When   `json:"paused_until,omitzero"`
	Window        string `json:"window,omitempty"`
	WindowUntil   When   `json:"window_until,omitzero"`
	HandsOff      string `json:"hands_off,omitempty"`
	HandsOffUntil When   `json:"hands_off_until,omitzero"`
	Holds         int8   `json:"holds,omitempty"` // 1 true, -1 false, 0 unknown
	Flapping      bool   `json:"flapping,omitempty"`
	Cold          bool   `json:"cold,omitempty"`
	Untrusted     bool   `json:"untrusted,omitempty"`
	Cause         string `json:"cause,omitempty"`
	Kind          string `json:"kind,omitempty"`
	Summary       string `json:"summary,omitempty"`
}

// Tally is what the gates that count read of the history.
type Tally struct {
	Open    string  `json:"open,omitempty"`
	LastEnd When    `json:"last_end,omitzero"`
	Own     bool    `json:"own,omitempty"`    // the last end was this remediation's
	Starts  []When  `json:"starts,omitempty"` // on the subject, where they are counted one by one
	Subject Count   `json:"subject,omitzero"`
	Policy  Count   `json:"policy,omitzero"`
	Kind    Count   `json:"kind,omitzero"`
	Others  int     `json:"others,omitempty"` // other subjects within the time of a storm
	Points  float64 `json:"points,omitempty"`
	Filled  When    `json:"filled,omitzero"` // when the budget held them; never: it is full
	Storm   When    `json:"storm,omitzero"`
	Breaker *Fuse   `json:"breaker,omitempty"`
}

// Count is how many starts lie within a limit's time, and, where they fill the
// limit, the age in nanoseconds of the one that must grow too old before the next.
type Count struct {
	N   int   `json:"n"`
	Age int64 `json:"age,omitempty"`
}

// Fuse is a breaker.
type Fuse struct {
	Failures int  `json:"failures"`
	Opened   int  `json:"opened,omitempty"`
	Until    When `json:"until,omitzero"`
}

// End is how an act or its verification ended, as far as it is looked at.
type End struct {
	Attempt string       `json:"attempt,omitempty"` // that was open
	OK      bool         `json:"ok,omitempty"`
	Error   string       `json:"error,omitempty"` // or the reason
	Unseen  bool         `json:"unseen,omitempty"`
	Stale   bool         `json:"stale,omitempty"`
	Fell    bool         `json:"fell,omitempty"` // what the act brought up ended again
	Class   remedy.Class `json:"class,omitempty"`
	Quiet   int64        `json:"quiet,omitempty"` // ns that nothing was tried before the attempt
	Sight   remedy.Sight `json:"sight,omitempty"`
	Jitter  float64      `json:"jitter,omitempty"`
}

// Then is what came of it.
type Then struct {
	State     remedy.State `json:"state"`
	Until     When         `json:"until,omitzero"`
	ApproveBy When         `json:"approve_by,omitzero"`
	Rung      int          `json:"rung,omitempty"`
	Try       int          `json:"try,omitempty"`
	Points    *float64     `json:"points,omitempty"` // of the budget, where it paid
	Storm     When         `json:"storm,omitzero"`   // where it set the brake off
	Breaker   *Fuse        `json:"breaker,omitempty"`
}

// ThenOf is what a move comes to, seen from now.
func ThenOf(m *remedy.Move, now clock.Stamp) *Then {
	n := &m.Next
	t := &Then{State: n.State, Until: WhenOf(n.Until, now), ApproveBy: WhenOf(n.ApproveBy, now), Rung: n.Rung, Try: n.Try}
	if m.Budget != nil {
		t.Points = &m.Budget.Points
	}
	if m.Storm != nil {
		t.Storm = WhenOf(*m.Storm, now)
	}
	if m.Breaker != nil {
		t.Breaker = FuseOf(*m.Breaker, now)
	}
	return t
}

// FuseOf is a breaker, seen from now.
func FuseOf(b remedy.Breaker, now clock.Stamp) *Fuse {
	return &Fuse{b.Failures, b.Opened, WhenOf(b.Until, now)}
}

// Tells says whether a record of this verb tells of a decision about a remediation.
func Tells(verb string) bool {
	switch verb {
	case "attempt.start", "gate.hold", "gate.refuse", "remediation.cleared",
		"remediation.retry", "remediation.next_rung", "remediation.gave_up", "remediation.failed",
		"remediation.indeterminate", "remediation.repeat", "attempt.recovered", "attempt.start_failed", "breaker.close":
		return true
	}
	return false
}
