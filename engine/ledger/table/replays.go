package table

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

const replayColumns = "key, body_sum, at, done, status, media, body"

// maxReplay bounds one row; an answer that is longer is not kept by who gave it.
const maxReplay = 96 << 10

func replayRow(r engine.Replay) (row conn.Row) {
	row.Text(r.Key)
	row.Blob(r.Sum[:])
	row.Stamp(r.At)
	row.Bool(r.Done)
	row.Int(int64(r.Status))
	row.Text(r.Media)
	row.Blob(r.Body)
	row.Bound("an answer", maxReplay)
	row.Seal()
	return row
}

// PutReplay writes one, or writes it again.
func (t *Tx) PutReplay(r engine.Replay) error {
	_, err := t.Exec("INSERT INTO replays ("+replayColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET ("+
		replayColumns+", sum) = (excluded.key, excluded.body_sum, excluded.at, excluded.done, excluded.status, excluded.media, excluded.body, excluded.sum)", replayRow(r))
	return err
}

// ForgetReplays removes some by their keys; it is no error that there are none.
func (t *Tx) ForgetReplays(keys []string) error {
	for _, k := range keys {
		var row conn.Row
		row.Text(k)
		if _, err := t.Exec("DELETE FROM replays WHERE key = ?", row); err != nil {
			return err
		}
	}
	return nil
}

// Replays reads all, oldest first.
func Replays(ctx context.Context, c *conn.Conn) (out []engine.Replay, err error) {
	err = c.Query(ctx, "SELECT "+replayColumns+", sum FROM replays ORDER BY id", conn.Row{}, func(cs *conn.Cells) error {
		err := cs.Open("replays")
		r := engine.Replay{Key: cs.Text()}
		copy(r.Sum[:], cs.Blob())
		r.At, r.Done, r.Status, r.Media, r.Body = cs.Stamp(), cs.Bool(), int(cs.Int()), cs.Text(), cs.Blob()
		out = append(out, r)
		return err
	})
	return out, err
}
