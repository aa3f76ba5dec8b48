package direct

import (
	"context"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// SetActionStatus is the original's PUT status, for outside remediators. Who wants
// to take one asks the gates that hold for the acts of others too; what a gate
// holds is written down as held, and is a Conflict that says why and until when.
// A word about what was done already is only that, and no gate is asked.
func (d *Desk) SetActionStatus(ctx context.Context, actor string, id int64, status, details, errMsg string) (before, after remedy.Remediation, err error) {
	var stopped remedy.Verdict
	before, after, err = d.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		stopped = remedy.Verdict{}
		m, err := remedy.SetStatus(r, actor, status, details, errMsg, now)
		if err != nil || r.State == remedy.Running || m.Next.State != remedy.Running {
			return m, err
		}
		f, err := d.judge.Facts(ctx, r, remedy.Spec{Subject: r.Subject})
		if err != nil {
			return m, err
		}
		if m, err = d.rules.Taking(r, f, m, now); err == nil {
			stopped = m.Verdict
		}
		return m, err
	})
	if err == nil && stopped.Answer != remedy.Admit {
		err = fault.New(fault.Conflict, "remediation %d may not be taken now, by gate %s: %s", id, stopped.Gate, stopped.Reason).
			Mend("leave it alone and ask again after %s", stopped.Until.Time().Format("15:04:05Z"))
	}
	return before, after, err
}
