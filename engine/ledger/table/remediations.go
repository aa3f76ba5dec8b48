package table

import (
	"context"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

const remediationColumns = `id, version, source, state, priority, rank, policy, fingerprint, target, subject,
	until_wall, until_boot, until_boot_id, created_wall, severity, actor, rung, try, attempt, gave_ups, gate, reason,
	since, until, created, started, finished, attempt_end, details, error, approval, approved_by, approve_by,
	lease, lease_until, labels, plan`

// remediationValues is one question mark a column, and one for sum.
const remediationValues = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

// rank orders claims within what is due.
func rank(priority string) int64 {
	switch priority {
	case "high", "critical":
		return 3
	case "low":
		return 1
	}
	return 2
}

func remediationRow(m remedy.Remediation) (r conn.Row) {
	r.Int(m.ID)
	r.Int(m.Version)
	r.Text(string(m.Source))
	r.Text(string(m.State))
	r.Text(m.Priority)
	r.Int(rank(m.Priority))
	r.Text(m.Policy)
	r.Int(int64(m.Fingerprint))
	r.Text(m.Target)
	r.Text(m.Subject)
	if m.Until.IsZero() {
		r.Blob(nil)
		r.Blob(nil)
		r.Blob(nil)
	} else {
		r.Int(m.Until.Wall)
		r.Int(m.Until.Boot)
		r.Text(m.Until.BootID)
	}
	r.Int(m.Created.Wall)
	r.Text(m.Severity)
	r.Text(m.Actor)
	r.Int(int64(m.Rung))
	r.Int(int64(m.Try))
	r.Int(int64(m.Attempt))
	r.Int(int64(m.GaveUps))
	r.Text(m.Gate)
	r.Text(m.Reason)
	r.Stamp(m.Since)
	r.Stamp(m.Until)
	r.Stamp(m.Created)
	r.Stamp(m.Started)
	r.Stamp(m.Finished)
	r.Stamp(m.AttemptEnd)
	r.Text(m.Details)
	r.Text(m.Error)
	r.Bool(m.Approval)
	r.Text(m.ApprovedBy)
	r.Stamp(m.ApproveBy)
	r.Text(m.Lease)
	r.Stamp(m.LeaseUntil)
	r.JSON("the labels of a remediation", m.Labels, maxSmall)
	r.JSON("the plan of a remediation", m.Plan, maxSmall)
	r.Bound("a remediation", maxSmall)
	r.Seal()
	return r
}

func readRemediation(cs *conn.Cells) (m remedy.Remediation, err error) {
	if err := cs.Open("remediations"); err != nil {
		return m, err
	}
	m.ID, m.Version = cs.Int(), cs.Int()
	m.Source, m.State = remedy.Source(cs.Text()), remedy.State(cs.Text())
	m.Priority = cs.Text()
	cs.Int() // rank
	m.Policy, m.Fingerprint, m.Target, m.Subject = cs.Text(), uint64(cs.Int()), cs.Text(), cs.Text()
	cs.Int()
	cs.Int()
	cs.TextOrNull() // until, as queries compare it
	cs.Int()        // created, likewise
	m.Severity, m.Actor = cs.Text(), cs.Text()
	m.Rung, m.Try, m.Attempt, m.GaveUps = int(cs.Int()), int(cs.Int()), int(cs.Int()), int(cs.Int())
	m.Gate, m.Reason = cs.Text(), cs.Text()
	m.Since, m.Until, m.Created, m.Started = cs.Stamp(), cs.Stamp(), cs.Stamp(), cs.Stamp()
	m.Finished, m.AttemptEnd = cs.Stamp(), cs.Stamp()
	m.Details, m.Error = cs.Text(), cs.Text()
	m.Approval, m.ApprovedBy, m.ApproveBy = cs.Bool(), cs.Text(), cs.Stamp()
	m.Lease, m.LeaseUntil = cs.Text(), cs.Stamp()
	cs.JSON(&m.Labels)
	cs.JSON(&m.Plan)
	return m, nil
}

// AddRemediation stores a new remediation and returns its id.
func (t *Tx) AddRemediation(m remedy.Remediation) (int64, error) {
	t.State.Remediation++
	m.ID, m.Version = t.State.Remediation, 1
	if m.State == remedy.Running || m.State == remedy.Verifying {
		return 0, fault.New(fault.Internal, "a new remediation cannot be %s: nothing was claimed", m.State)
	}
	return m.ID, t.insertRemediation(m)
}

func (t *Tx) insertRemediation(m remedy.Remediation) error {
	t.Acts = true
	_, err := t.Exec("INSERT INTO remediations ("+remediationColumns+", sum) VALUES "+remediationValues, remediationRow(m))
	return err
}

// PutRemediation writes a remediation whose row is at version.
func (t *Tx) PutRemediation(version int64, m remedy.Remediation) error {
	m.Version = version + 1
	row := remediationRow(m)
	row.Int(m.ID)
	row.Int(version)
	t.Acts = true
	n, err := t.Exec("UPDATE remediations SET ("+remediationColumns+", sum) = "+remediationValues+" WHERE id = ? AND version = ?", row)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "remediation %d is not at version %d any more", m.ID, version)
	}
	return err
}

// remediations reads those that match; where is SQL of this room alone.
func Remediations(ctx context.Context, c *conn.Conn, where string, row conn.Row) (out []remedy.Remediation, err error) {
	err = c.Query(ctx, "SELECT "+remediationColumns+", sum FROM remediations WHERE "+where, row, func(cs *conn.Cells) error {
		m, err := readRemediation(cs)
		out = append(out, m)
		return err
	})
	return out, err
}

func Remediation(ctx context.Context, c *conn.Conn, id int64) (remedy.Remediation, error) {
	var row conn.Row
	row.Int(id)
	rs, err := Remediations(ctx, c, "id = ?", row)
	if err == nil && len(rs) == 0 {
		err = fault.New(fault.NotFound, "there is no remediation %d", id)
	}
	if err != nil {
		return remedy.Remediation{}, err
	}
	return rs[0], nil
}

// DropFinished removes at most n finished remediations up to an id, with their
// attempts, and says how many went.
func (t *Tx) DropFinished(upto int64, n int64) (gone int64, err error) {
	t.Acts = true
	var ids []int64
	var row conn.Row
	row.Int(upto)
	row.Int(n)
	err = t.Query(context.Background(), `SELECT id FROM remediations WHERE id <= ? AND state IN ('succeeded', 'refused', 'cancelled', 'failed')
		AND NOT EXISTS (SELECT 1 FROM attempts WHERE remediation = remediations.id AND finished IS NULL) ORDER BY id LIMIT ?`, row, func(cs *conn.Cells) error {
		ids = append(ids, cs.Int())
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		var key conn.Row
		key.Int(id)
		for _, sql := range []string{
			"DELETE FROM results WHERE attempt IN (SELECT id FROM attempts WHERE remediation = ?)",
			"DELETE FROM requests WHERE attempt IN (SELECT id FROM attempts WHERE remediation = ?)",
			"DELETE FROM attempts WHERE remediation = ?",
			"DELETE FROM remediations WHERE id = ?",
		} {
			if _, err := t.Exec(sql, key); err != nil {
				return 0, err
			}
		}
	}
	return int64(len(ids)), nil
}

// disownAfter is how long a person has to decide before the engine gives up.
const disownAfter = 24 * time.Hour

// Disown makes everything whose end cannot be known indeterminate: attempts
// that are open, and direct actions that wait, since no condition would say
// that they were carried out already.
func (t *Tx) Disown(now clock.Stamp, why string) (ids []int64, err error) {
	ctx := context.Background()
	open, err := Attempts(ctx, t.Conn, "finished IS NULL", conn.Row{})
	if err != nil {
		return nil, err
	}
	for _, a := range open {
		a.Finished = now
		a.Result = remedy.Result{Error: why, Unseen: true}
		if err := t.CloseAttempt(a); err != nil {
			return nil, err
		}
	}
	rs, err := Remediations(ctx, t.Conn, "state IN ('running', 'verifying') OR source <> 'policy' AND state IN ('queued', 'held')", conn.Row{})
	if err != nil {
		return nil, err
	}
	for _, m := range rs {
		m.State, m.Reason, m.Error, m.Finished = remedy.Indeterminate, why, why, now
		m.Gate, m.Until = "", now.Add(disownAfter)
		if err := t.PutRemediation(m.Version, m); err != nil {
			return nil, err
		}
		ids = append(ids, m.ID)
		if err := t.Chain(audit.Record{At: now, Actor: "vigild", Verb: "remediation.indeterminate", Object: ObjectOf(m.ID), Reason: why}); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
