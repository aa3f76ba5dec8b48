package remedy

// What the hall already calls; the room's owner replaces this file by the real
// functions (same names and signatures).

import (
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// TargetOf substitutes the plan's target; "" when the plan names none.
func TargetOf(p Plan, r Remediation) (string, error) { panic("remedy: not built") }

// Check names everything wrong with a plan; places are paths in it, as
// /ladder/0/with/unit. actions may be nil: then names are not checked.
func (p *Plan) Check(actions Actions) fault.Issues { panic("remedy: not built") }

// InWindow says whether now lies in a recurring window (cron schedule in an IANA
// zone, "" UTC) and when that window ends.
func InWindow(schedule, zone string, length time.Duration, now time.Time) (end time.Time, in bool, err error) {
	panic("remedy: not built")
}

// Withdraw cancels what still waits (queued, held, gave_up) because its
// condition has cleared; Gate becomes "recheck". Conflict in other states.
func Withdraw(r Remediation, reason string, now clock.Stamp) (Move, error) {
	panic("remedy: not built")
}

// Cancel, Retry, Approve and SetStatus are a person's verbs. Conflict, with the
// original's words, where the state does not allow it.
func Cancel(r Remediation, actor, reason string, now clock.Stamp) (Move, error) {
	panic("remedy: not built")
}

// Retry queues one that ended without success again.
func Retry(r Remediation, actor string, now clock.Stamp) (Move, error) { panic("remedy: not built") }

// Approve says yes to one that asks.
func Approve(r Remediation, actor string, now clock.Stamp) (Move, error) { panic("remedy: not built") }

// SetStatus is the original's PUT status.
func SetStatus(r Remediation, actor, status, details, errMsg string, now clock.Stamp) (Move, error) {
	panic("remedy: not built")
}
