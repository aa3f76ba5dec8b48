package ledger

import (
	"context"
	"strings"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
	"vigil/engine/remedy"
)

// states are all of them, to find those behind a word of the original.
var states = [...]remedy.State{
	remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying, remedy.Succeeded,
	remedy.GaveUp, remedy.Refused, remedy.Cancelled, remedy.Indeterminate, remedy.Failed,
}

// Remediation reads one. NotFound: there is none with this id.
func (l *Ledger) Remediation(ctx context.Context, id int64) (m remedy.Remediation, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		m, err = table.Remediation(ctx, c, id)
		return err
	})
	return m, err
}

// Remediations lists newest first; total counts all that pass the filter,
// wherever the page begins.
func (l *Ledger) Remediations(ctx context.Context, f engine.RemediationFilter) (rs []remedy.Remediation, total int, err error) {
	where, row := filter(f)
	all, err := l.total(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		if total = all; all < 0 {
			err := c.Query(ctx, "SELECT count(*) FROM remediations WHERE "+where, row, func(cs *conn.Cells) error {
				total = int(cs.Int())
				return nil
			})
			if err != nil {
				return err
			}
		}
		page, row := where, row.Clone()
		if f.Before > 0 {
			page += " AND id < ?"
			row.Int(f.Before)
		}
		row.Int(int64(bound(f.Limit)))
		row.Int(int64(max(0, f.Offset)))
		rs, err = table.Remediations(ctx, c, page+" ORDER BY id DESC LIMIT ? OFFSET ?", row)
		return err
	})
	return rs, total, err
}

// filter is the condition of a listing without its cursor.
func filter(f engine.RemediationFilter) (where string, row conn.Row) {
	w := []string{"true"}
	in := func(ss []remedy.State) {
		w = append(w, "state IN (''"+strings.Repeat(", ?", len(ss))+")")
		for _, s := range ss {
			row.Text(string(s))
		}
	}
	if len(f.States) > 0 {
		in(f.States[:min(len(f.States), 2*len(states))])
	}
	if f.Word != "" {
		var ss []remedy.State
		for _, s := range states {
			if s.Word() == f.Word {
				ss = append(ss, s)
			}
		}
		in(ss)
	}
	if f.Target != "" {
		w = append(w, "target = ?")
		row.Text(f.Target)
	}
	if f.Policy != "" {
		w = append(w, "policy = ? AND policy <> ''")
		row.Text(f.Policy)
	}
	if f.Firing != nil {
		w = append(w, "fingerprint = ?")
		row.Int(int64(*f.Firing))
	}
	if f.From != 0 {
		w = append(w, "created_wall >= ?")
		row.Int(f.From)
	}
	if f.To != 0 {
		w = append(w, "created_wall < ?")
		row.Int(f.To)
	}
	return strings.Join(w, " AND "), row
}

// History is what a claim would look back on if it were made now.
func (l *Ledger) History(ctx context.Context, q remedy.Query, now clock.Stamp) (h remedy.History, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		h, err = (&table.Tx{Conn: c}).History(q, now)
		return err
	})
	return h, err
}
