package remedy

import (
	"encoding/json"

	"vigil/engine/clock"
)

// The names of the gates, on the wire and in the audit.
const (
	GatePause      = "pause"
	GateMode       = "mode"
	GateWindow     = "window"
	GateHandsOff   = "hands_off"
	GateRecheck    = "recheck"
	GateDependency = "dependency"
	GateApproval   = "approval"
	GateOwner      = "owner"
	GateCooldown   = "cooldown"
	GateLimits     = "limits"
	GateBudget     = "budget"
	GateStorm      = "storm"
	GateBreaker    = "breaker"

	// Not asked in the claim: the request could not be made; its wait is not over.
	GateRequest = "request"
	GateBackoff = "backoff"
)

// Answer is what a gate says.
type Answer uint8

// The answers.
const (
	Admit  Answer = iota
	Hold          // not now: until, reason
	Refuse        // not at all: reason
	Drop          // no longer needed: the condition went away
)

// String is the answer's name on the wire.
func (a Answer) String() string {
	switch a {
	case Admit:
		return "admit"
	case Hold:
		return "hold"
	case Refuse:
		return "refuse"
	case Drop:
		return "drop"
	}
	return "unknown"
}

// Verdict is a gate's answer with its name and reason. The zero Verdict admits.
type Verdict struct {
	Gate   string
	Answer Answer
	Until  clock.Stamp
	Reason string
}

// Gate is one business rule. Pure.
type Gate func(r *Remediation, f *Facts, h *History, now clock.Stamp) Verdict

// Facts are gathered by the engine before the claim, without a lock.
type Facts struct {
	At            clock.Stamp
	Paused        string // reason of the global pause or of safe mode, "" none
	PausedUntil   clock.Stamp
	Window        string // maintenance window or silence in force, with its reason
	WindowUntil   clock.Stamp
	HandsOff      string // who asked to leave the subject alone, and why
	HandsOffUntil clock.Stamp

	// The condition as of this instant (gate 4), for FromPolicy.
	Holds         int8 // 1 true, -1 false, 0 unknown (policy.Truth)
	Evaluation    uint64
	FiringVersion int64 // row version the claim compares; 0: no firing
	Flapping      bool
	Warm          bool   // inputs are warm and boot grace is over
	Trusted       bool   // false: the series has origin "open" and the plan does not accept it
	Cause         string // the deepest cause that fires, "" none
	Evidence      json.RawMessage
	Values        map[string]string // what it stood on, as text: told to the act

	Spec Spec // of the current rung
}

// History is loaded by the ledger inside the claim's transaction. Starts of an
// earlier boot are listed when the wall clock puts them within the period or
// cannot tell (it went backwards, or it moved years); the newest ones suffice,
// as many as the largest limit. The gates decide what a stamp is worth.
type History struct {
	Open      string        // id of an attempt open on the subject, "" none
	LastEnd   clock.Stamp   // end of the newest attempt on the subject
	LastEndBy int64         // its remediation: the same one's retries do not cool down
	BySubject []clock.Stamp // starts of attempts on the subject within Query.Subject.Per, oldest first
	ByPolicy  []clock.Stamp
	ByKind    []clock.Stamp
	Subjects  []Touched // distinct subjects attempted within Query.Storm, oldest first
	Budget    Budget
	Breaker   Breaker     // of the subject
	Storm     clock.Stamp // held until, zero when calm
}

// Touched is a subject and when it was last attempted.
type Touched struct {
	Subject string
	At      clock.Stamp
}

// Budget is the host's autonomy budget: a token bucket.
type Budget struct {
	Points float64
	At     clock.Stamp
}

// Breaker opens after failed verifications in a row on one subject.
type Breaker struct {
	Failures int
	Opened   int         // times in a row, for the doubling
	Until    clock.Stamp // open until; zero closed
}

// Query says how far back History looks.
type Query struct {
	Subject, Policy, Kind                 string
	SubjectPer, PolicyPer, KindPer, Storm int64 // ns
}
