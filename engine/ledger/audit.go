package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
)

// The bounds of what is stored and of what is read at once.
const (
	page    = 500    // rows read in one transaction by what walks everything
	maxList = 10_000 // rows of one listing
)

func (l *Ledger) records(ctx context.Context, where string, row conn.Row, limit int) (out []audit.Record, err error) {
	row.Int(int64(bound(limit)))
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		out = nil
		return c.Query(ctx, "SELECT "+table.AuditColumns+" FROM audit WHERE "+where+" ORDER BY seq LIMIT ?", row, func(cs *conn.Cells) error {
			out = append(out, table.ReadRecord(cs))
			return nil
		})
	})
	return out, err
}

// bound keeps a listing between one row and maxList.
func bound(limit int) int {
	if limit <= 0 || limit > maxList {
		return maxList
	}
	return limit
}

// Audit lists records with Seq > after, oldest first; object "" is any.
func (l *Ledger) Audit(ctx context.Context, after int64, object string, limit int) ([]audit.Record, error) {
	var row conn.Row
	row.Int(after)
	if object == "" {
		return l.records(ctx, "seq > ?", row, limit)
	}
	row.Text(object)
	return l.records(ctx, "seq > ? AND object = ? AND object <> ''", row, limit)
}

// maxObjects bounds what one story may ask about.
const maxObjects = 500

// AuditAbout lists the records whose object is one of these, oldest first.
func (l *Ledger) AuditAbout(ctx context.Context, objects []string, limit int) ([]audit.Record, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	if len(objects) > maxObjects {
		return nil, fault.New(fault.TooLarge, "the audit was asked about %d objects at once, at most %d are looked up", len(objects), maxObjects)
	}
	var row conn.Row
	for _, o := range objects {
		row.Text(o)
	}
	return l.records(ctx, "object <> '' AND object IN (?"+strings.Repeat(", ?", len(objects)-1)+")", row, limit)
}

// AuditHead is the end of the chain as it is acknowledged.
func (l *Ledger) AuditHead() audit.Head { return *l.head.Load() }

// walk calls each for every stored record after seq, a page at a time, up to
// the head that stood when it began.
func (l *Ledger) walk(ctx context.Context, after int64, each func(audit.Record) error) (head audit.Head, err error) {
	head = l.AuditHead()
	for after < head.Seq {
		rs, err := l.Audit(ctx, after, "", page)
		if fault.KindOf(err) == fault.Corrupt {
			rs, err = l.Audit(ctx, after, "", 1) // the good ones before it, one by one
		}
		if err != nil {
			return head, err
		}
		for _, r := range rs {
			if r.Seq > head.Seq {
				return head, nil
			}
			if err := each(r); err != nil {
				return head, err
			}
			after = r.Seq
		}
		if len(rs) == 0 {
			return head, nil // the verifier says what is missing
		}
	}
	return head, nil
}

// AuditVerify walks the stored chain from where it was pruned to the head and
// returns that head. An error of kind Corrupt wraps an *audit.Broken that names
// the first bad record. progress, if not nil, is told how many were good so far.
func (l *Ledger) AuditVerify(ctx context.Context, progress func(n int64)) (audit.Head, error) {
	for {
		from, err := l.pruned(ctx)
		if err != nil {
			return audit.Head{}, err
		}
		head, err := l.verifyFrom(ctx, from, progress)
		if fault.KindOf(err) != fault.Corrupt {
			return head, err
		}
		if now, e := l.pruned(ctx); e != nil || now == from {
			return head, err
		}
		// Pruned under our feet: what we missed is in an export.
	}
}

// pruned is the head of what was pruned.
func (l *Ledger) pruned(ctx context.Context) (audit.Head, error) {
	var s table.State
	err := l.file.Read(ctx, func(c *conn.Conn) (err error) { s, err = table.ReadState(ctx, c); return err })
	return s.Pruned, err
}

func (l *Ledger) verifyFrom(ctx context.Context, from audit.Head, progress func(n int64)) (audit.Head, error) {
	v := audit.NewVerifier(from)
	head, err := l.walk(ctx, 0, func(r audit.Record) error {
		if err := v.Next(r); err != nil {
			return err
		}
		if progress != nil && v.Count()%page == 0 {
			progress(v.Count())
		}
		return nil
	})
	var broken *audit.Broken
	switch {
	case fault.KindOf(err) == fault.Corrupt && !errors.As(err, &broken): // a row that is none
		return v.Head(), fault.Wrap(fault.Corrupt, &audit.Broken{Seq: v.Head().Seq + 1, Problem: audit.Unread, Msg: err.Error()}, "the audit chain is broken")
	case err != nil:
		return v.Head(), err
	}
	if progress != nil {
		progress(v.Count())
	}
	return v.Head(), v.End(head)
}

// Export writes the records from seq `from` on as lines (docs/audit-format.md)
// and returns the last one's head: what Prune asks for. A failing writer ends it.
func (l *Ledger) Export(ctx context.Context, from int64, w io.Writer) (last audit.Head, err error) {
	_, err = l.walk(ctx, from-1, func(r audit.Record) error {
		if _, err := w.Write(audit.MarshalLine(r)); err != nil {
			return fault.Wrap(fault.Cancelled, err, "writing the audit export")
		}
		last = r.Head()
		return nil
	})
	return last, err
}

// Prune removes the records up to and including `upto`, which whoever exported
// them knows by its hash; the hash stays, so the rest still verifies. It is
// itself recorded. Precondition: the record does not have that hash. Conflict:
// it is the head, or already gone.
func (l *Ledger) Prune(ctx context.Context, actor string, upto audit.Head) error {
	return l.write(ctx, true, func(t *table.Tx) error {
		if upto.Seq <= t.State.Pruned.Seq || upto.Seq >= t.State.Head.Seq {
			return fault.New(fault.Conflict, "audit records can be pruned up to one between %d and %d, not up to %d",
				t.State.Pruned.Seq+1, t.State.Head.Seq-1, upto.Seq)
		}
		var row conn.Row
		row.Int(upto.Seq)
		found := false
		err := t.Query(ctx, "SELECT hash FROM audit WHERE seq = ?", row, func(cs *conn.Cells) error {
			found = string(cs.Blob()) == string(upto.Hash[:])
			return nil
		})
		if err != nil {
			return err
		}
		if !found {
			return fault.New(fault.Precondition, "audit record %d does not have the hash %s", upto.Seq, upto.Hash).
				Mend("export the records first and give the hash of the last one")
		}
		was := t.State.Pruned.Seq
		t.State.Pruned = upto
		if err := t.Chain(audit.Record{
			At: l.deps.Clock(), Actor: actor, Verb: "audit.prune", Object: "audit",
			Reason: fmt.Sprintf("records %d to %d were exported and removed; the last one's hash is %s", was+1, upto.Seq, upto.Hash),
		}); err != nil {
			return err
		}
		if err := restand(t, upto.Seq, l.deps.Clock()); err != nil {
			return err
		}
		if err := t.Save(); err != nil { // the trigger lets go what the state says is pruned
			return err
		}
		_, err = t.Exec("DELETE FROM audit WHERE seq <= ?", row)
		return err
	})
}
