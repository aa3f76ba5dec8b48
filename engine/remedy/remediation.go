// Package remedy is putting it right: gates, ladder, attempts, verification.
//
// A remediation moves through a closed state machine (see [Next]); the gates are
// pure and run inside the transaction that claims it; the only way to obtain an
// open [Attempt] is a [Claim], by itself or with the decision that queues it (see
// [Taker]), which has fsynced it, so no act happens without a record on disk. After the act the remediation is verified on
// samples younger than the attempt's end plus settle; unknown is not success.
//
// This room holds the nouns, the table of states ([Next]), the plan with its
// check and substitution, and the configuration. What is decided stands in
// remedy/decide, what moves in remedy/worker, schedules in remedy/window.
//
// It refuses knowledge of policies and series (the engine is its [Judge]), I/O
// of its own, clocks, and a second way to act.
package remedy

import (
	"fmt"

	"vigil/engine/clock"
)

// State is where a remediation is in its life.
type State string

// The states.
const (
	Queued        State = "queued"
	Held          State = "held"    // a gate said not now: Gate, Reason, Until
	Running       State = "running" // an attempt is open on disk
	Verifying     State = "verifying"
	Succeeded     State = "succeeded"
	GaveUp        State = "gave_up" // loud; Until is the automatic retry
	Refused       State = "refused"
	Cancelled     State = "cancelled"
	Indeterminate State = "indeterminate" // an unsafe act whose end nobody saw
	Failed        State = "failed"        // a direct action (no ladder to climb) that failed
)

// Word is the original contract's word for a state: pending, running,
// completed, failed, cancelled.
func (s State) Word() string {
	switch s {
	case Queued, Held:
		return "pending"
	case Running, Verifying:
		return "running"
	case Succeeded:
		return "completed"
	case Cancelled:
		return "cancelled"
	default:
		return "failed"
	}
}

// Final says that nothing happens any more without a person or a retry time.
func (s State) Final() bool {
	switch s {
	case Queued, Held, Running, Verifying:
		return false
	}
	return true
}

// LabelBack is "yes" on a remediation FromReconcile that takes something back.
const LabelBack = "back"

// Source says who asked for a remediation.
type Source string

// The sources.
const (
	FromPolicy    Source = "policy"
	FromAPI       Source = "api" // gates 1 (mode) and 4 (re-check) do not apply
	FromReconcile Source = "reconcile"
	FromExternal  Source = "external" // a name we do not know: for an outside remediator
)

// Remediation is one intent to put something right.
type Remediation struct {
	ID      int64 // given by the ledger; its own sequence
	Version int64 // of the row; every write adds one
	Source  Source

	Policy      string            // "" for a direct action
	Fingerprint uint64            // of the firing's labels
	Labels      map[string]string // of the firing, or of the request
	Target      string            // a label for people
	Severity    string
	Priority    string // low, medium, high: the order of claims within what is due
	Actor       string
	Plan        Plan

	State   State
	Rung    int    // index into Plan.Ladder
	Try     int    // attempts made of this rung
	Attempt int    // attempts made in all: n of the next attempt's id less one
	Subject string // of the rung last looked at; "" until one was resolved
	Gate    string // that last held or refused
	Reason  string
	Since   clock.Stamp // since when Gate has held without a break
	Until   clock.Stamp // held or backing off until; gave_up: automatic retry; indeterminate: then gave_up; external and queued: then failed
	GaveUps int         // in a row, for the doubling of the retry time

	Created, Started, Finished clock.Stamp
	AttemptEnd                 clock.Stamp // of the newest attempt: where verification begins
	Details, Error             string      // the original contract's fields

	Approval   bool        // a person must say yes
	ApprovedBy string      // who did
	ApproveBy  clock.Stamp // then refused
	Lease      string      // external: the remediator that claimed it
	LeaseUntil clock.Stamp
}

// Who is the actor of what r does by itself: its policy, or who made it.
func (r *Remediation) Who() string {
	switch {
	case r.Source == FromPolicy && r.Policy != "":
		return "policy:" + r.Policy
	case r.Actor != "":
		return r.Actor
	}
	return "vigild"
}

// Attempt is one act, opened on disk before its first effect.
type Attempt struct {
	Epoch       int64 // bumped when a database is restored
	Remediation int64
	N           int // from 1
	Rung        int
	Action      string
	Subject     string
	Kind        string // the built-in kind behind the action
	Class       Class
	Request     Request
	Capture     []byte // evidence taken before the act, JSON, at most 256 KiB
	Started     clock.Stamp
	Finished    clock.Stamp // zero while open
	Result      Result
}

// ID is epoch-remediation-n: unique for ever, also after a restore.
func (a Attempt) ID() string { return fmt.Sprintf("%d-%d-%d", a.Epoch, a.Remediation, a.N) }
