package table

import (
	"context"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

const holdColumns = "id, kind, owner, actor, reason, matchers, subject, schedule, zone, length, begins, ends, ended, created"

func holdRow(h engine.Hold) (r conn.Row) {
	r.Text(h.ID)
	r.Text(string(h.Kind))
	r.Text(h.Owner)
	r.Text(h.Actor)
	r.Text(h.Reason)
	r.Text(h.Matchers)
	r.Text(h.Subject)
	r.Text(h.Schedule)
	r.Text(h.Zone)
	r.Int(h.Length)
	r.Stamp(h.From)
	r.Stamp(h.Until)
	r.Stamp(h.Ended)
	r.Stamp(h.Created)
	r.Bound("a hold", maxSmall)
	r.Seal()
	return r
}

func readHold(cs *conn.Cells) (engine.Hold, error) {
	err := cs.Open("holds")
	return engine.Hold{
		ID: cs.Text(), Kind: engine.HoldKind(cs.Text()), Owner: cs.Text(), Actor: cs.Text(), Reason: cs.Text(),
		Matchers: cs.Text(), Subject: cs.Text(), Schedule: cs.Text(), Zone: cs.Text(), Length: cs.Int(),
		From: cs.Stamp(), Until: cs.Stamp(), Ended: cs.Stamp(), Created: cs.Stamp(),
	}, err
}

// PutHold writes a hold, or writes it again.
func (t *Tx) PutHold(h engine.Hold) error {
	_, err := t.Exec("INSERT OR REPLACE INTO holds ("+holdColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", holdRow(h))
	return err
}

// Release ends a hold before its time. Conflict: it ended already, or never was.
func (t *Tx) Release(id string, at clock.Stamp) error {
	hs, err := Holds(context.Background(), t.Conn, "id = ? AND ended IS NULL", id)
	if err != nil {
		return err
	}
	if len(hs) == 0 {
		return fault.New(fault.Conflict, "hold %s does not stand any more", id)
	}
	hs[0].Ended = at
	return t.PutHold(hs[0])
}

func Holds(ctx context.Context, c *conn.Conn, where string, args ...string) (out []engine.Hold, err error) {
	var row conn.Row
	for _, a := range args {
		row.Text(a)
	}
	err = c.Query(ctx, "SELECT "+holdColumns+", sum FROM holds WHERE "+where+" ORDER BY id", row, func(cs *conn.Cells) error {
		h, err := readHold(cs)
		out = append(out, h)
		return err
	})
	return out, err
}
