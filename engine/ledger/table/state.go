// Package table is what the ledger's tables hold: one file per noun, with its
// columns, the way it is written and the way it is read back. Those of desired
// state stand in desired.
//
// It knows the constraints of the schema, which carry the invariants, and the order
// that they ask for. It refuses decisions, clocks, and files: what it does is
// done on a connection inside somebody's transaction, and is nothing until that
// commits. Everything here blocks on disk; nothing is started.
package table

import (
	"context"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// State is the one row that every change reads and may write.
type State struct {
	Epoch       int64
	Position    uint64
	Head        audit.Head
	Pruned      audit.Head
	Remediation int64
}

// Tx is one change under way.
type Tx struct {
	*conn.Conn
	State State // change it and Save writes it
	Acts  bool  // a remediation was written
	was   State
}

// Begin writes the first state of a new ledger.
func Begin(c *conn.Conn, epoch int64) error {
	_, err := c.Exec("INSERT INTO state (id, "+stateColumns+", sum) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", State{Epoch: epoch}.row())
	return err
}

const stateColumns = "epoch, position, audit_seq, audit_hash, pruned_seq, pruned_hash, remediation"

func (s State) row() (r conn.Row) {
	r.Int(s.Epoch)
	r.Int(int64(s.Position))
	r.Int(s.Head.Seq)
	r.Blob(hashBytes(s.Head))
	r.Int(s.Pruned.Seq)
	r.Blob(hashBytes(s.Pruned))
	r.Int(s.Remediation)
	r.Seal()
	return r
}

// hashBytes is NULL at the beginning of a chain.
func hashBytes(h audit.Head) []byte {
	if h.Hash == (audit.Hash{}) {
		return nil
	}
	return h.Hash[:]
}

// ReadState reads the state; ErrNoState before Begin.
func ReadState(ctx context.Context, c *conn.Conn) (s State, err error) {
	found := false
	err = c.Query(ctx, "SELECT "+stateColumns+", sum FROM state", conn.Row{}, func(cs *conn.Cells) error {
		if err := cs.Open("state"); err != nil {
			return err
		}
		found = true
		s.Epoch, s.Position = cs.Int(), uint64(cs.Int())
		s.Head.Seq = cs.Int()
		copy(s.Head.Hash[:], cs.Blob())
		s.Pruned.Seq = cs.Int()
		copy(s.Pruned.Hash[:], cs.Blob())
		s.Remediation = cs.Int()
		return nil
	})
	if err == nil && !found {
		err = ErrNoState
	}
	return s, err
}

// ErrNoState is a ledger that has never been begun.
var ErrNoState = fault.New(fault.NotFound, "the ledger has no state yet")

// Load reads the state as it is in this transaction.
func (t *Tx) Load() (err error) {
	t.State, err = ReadState(context.Background(), t.Conn)
	t.was = t.State
	return err
}

// Save writes the state if it changed.
func (t *Tx) Save() error {
	if t.State == t.was {
		return nil
	}
	_, err := t.Exec("UPDATE state SET ("+stateColumns+", sum) = (?, ?, ?, ?, ?, ?, ?, ?)", t.State.row())
	t.was = t.State
	return err
}
