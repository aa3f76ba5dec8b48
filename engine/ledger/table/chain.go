package table

import (
	"vigil/engine/audit"
	"vigil/engine/ledger/conn"
)

// maxRecord bounds the bytes of one audit record.
const maxRecord = 1 << 20

// AuditColumns are what ReadRecord reads.
const AuditColumns = "seq, prev, hash, at, actor, verb, object, reason, evidence"

// Chain appends records behind the head, in order.
func (t *Tx) Chain(rs ...audit.Record) error {
	for _, r := range rs {
		r.Seq = t.State.Head.Seq + 1
		r = audit.Seal(t.State.Head.Hash, r)
		var row conn.Row
		row.Int(r.Seq)
		row.Blob(r.Prev[:])
		row.Blob(r.Hash[:])
		row.Stamp(r.At)
		row.Text(r.Actor)
		row.Text(r.Verb)
		row.Text(r.Object)
		row.Text(r.Reason)
		row.Blob(r.Evidence)
		row.Bound("an audit record", maxRecord)
		if _, err := t.Exec("INSERT INTO audit ("+AuditColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row); err != nil {
			return err
		}
		t.State.Head = r.Head()
	}
	return nil
}

// ReadRecord reads a record; its hash says whether it is whole.
func ReadRecord(cs *conn.Cells) (r audit.Record) {
	r.Seq = cs.Int()
	copy(r.Prev[:], cs.Blob())
	copy(r.Hash[:], cs.Blob())
	r.At = cs.Stamp()
	r.Actor, r.Verb, r.Object, r.Reason = cs.Text(), cs.Text(), cs.Text(), cs.Text()
	r.Evidence = cs.Blob()
	return r
}
