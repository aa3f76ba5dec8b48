package remedy

import (
	"time"

	"vigil/engine/remedy/window"
)

// TargetOf is the plan's target with its placeholders filled in; "" when the
// plan names none. Errors are of kind Unprocessable.
func TargetOf(p Plan, r Remediation) (string, error) {
	if p.Target == "" {
		return "", nil
	}
	return Expand(p.Target, Values{Labels: r.Labels, Target: r.Target, Policy: r.Policy})
}

// InWindow says whether now lies in a recurring window (cron schedule in an IANA
// zone, "" UTC) and when that window ends; see package window.
func InWindow(schedule, zone string, length time.Duration, now time.Time) (end time.Time, in bool, err error) {
	in, end, err = window.In(schedule, zone, length, now)
	return end, in, err
}
