package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

const revisionColumns = `n, commit_hash, tree_hash, ref, subject, author, signer, source, made, pusher, reason, confirmed, return_of,
	state, why, starts, seen, began, applied, ended, items, changed, pruned`

func revisionRow(v engine.Revision) (r conn.Row) {
	r.Int(v.N)
	r.Text(v.Commit)
	r.Text(v.Tree)
	r.Text(v.Ref)
	r.Text(v.Subject)
	r.Text(v.Author)
	r.Text(v.Signer)
	r.Text(v.Source)
	r.Time(v.When)
	r.Text(v.Pusher)
	r.Text(v.Reason)
	r.Bool(v.Confirmed)
	r.Int(v.Return)
	r.Text(string(v.State))
	r.Text(v.Why)
	r.Int(int64(v.Starts))
	r.Stamp(v.Seen)
	r.Stamp(v.Began)
	r.Stamp(v.Applied)
	r.Stamp(v.Ended)
	r.Int(int64(v.Items))
	r.Int(int64(v.Changed))
	r.Int(int64(v.Pruned))
	r.Bound("a revision", maxRevision)
	r.Seal()
	return r
}

func readRevision(cs *conn.Cells) (engine.Revision, error) {
	err := cs.Open("revisions")
	return engine.Revision{
		N: cs.Int(), Commit: cs.Text(), Tree: cs.Text(), Ref: cs.Text(), Subject: cs.Text(), Author: cs.Text(),
		Signer: cs.Text(), Source: cs.Text(), When: cs.Time(),
		Pusher: cs.Text(), Reason: cs.Text(), Confirmed: cs.Bool(), Return: cs.Int(),
		State: engine.RevisionState(cs.Text()), Why: cs.Text(), Starts: int(cs.Int()),
		Seen: cs.Stamp(), Began: cs.Stamp(), Applied: cs.Stamp(), Ended: cs.Stamp(),
		Items: int(cs.Int()), Changed: int(cs.Int()), Pruned: int(cs.Int()),
	}, err
}

// putRevision writes a revision, or writes it again.
func putRevision(c *conn.Conn, v engine.Revision) error {
	// Not INSERT OR REPLACE: that would remove whichever other one is under way.
	_, err := c.Exec("INSERT INTO revisions ("+revisionColumns+`, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (n) DO UPDATE SET (`+revisionColumns+`, sum) = (excluded.n, excluded.commit_hash, excluded.tree_hash, excluded.ref,
		excluded.subject, excluded.author, excluded.signer, excluded.source, excluded.made, excluded.pusher, excluded.reason, excluded.confirmed,
		excluded.return_of, excluded.state, excluded.why, excluded.starts, excluded.seen, excluded.began, excluded.applied, excluded.ended,
		excluded.items, excluded.changed, excluded.pruned, excluded.sum)`, revisionRow(v))
	return refused(err, "revision %d (%.12s) cannot be %s", v.N, v.Commit, v.State)
}

// underWay says that this is the one revision that the host is busy with.
func underWay(v engine.Revision) bool { return v.State.Open() && v.State != engine.RevisionSeen }

// Revisions reads those that match; where is SQL of the ledger alone, with its order.
func Revisions(ctx context.Context, c *conn.Conn, where string, row conn.Row) (out []engine.Revision, err error) {
	err = c.Query(ctx, "SELECT "+revisionColumns+", sum FROM revisions WHERE "+where, row, func(cs *conn.Cells) error {
		v, err := readRevision(cs)
		out = append(out, v)
		return err
	})
	return out, err
}

// open is the states in which the host still has something to do: RevisionState.Open.
const open = "('seen', 'applying', 'checking', 'undoing')"

// relevant selects the revisions that the keeper starts from: everything since
// the newest that landed and was good (so the bad ones that a return left behind
// are there too), and whatever is open.
const relevant = `n >= (SELECT coalesce(max(n), 0) FROM revisions WHERE state = 'good' AND return_of = 0)
	OR state IN ` + open + ` ORDER BY n`

// dropRevisions removes at most n of those that are older than the newest keep,
// but never what the keeper still goes by.
func dropRevisions(c *conn.Conn, keep, n int64) (int64, error) {
	var row conn.Row
	row.Int(keep)
	row.Int(n)
	return c.Exec(`DELETE FROM revisions WHERE n IN (SELECT n FROM revisions WHERE n <= (SELECT max(n) FROM revisions) - ?
		AND state NOT IN `+open+`
		AND n IS NOT (SELECT max(n) FROM revisions WHERE state = 'good')
		AND n IS NOT (SELECT max(n) FROM revisions WHERE state = 'good' AND return_of = 0)
		AND n NOT IN (SELECT revision FROM undo) ORDER BY n LIMIT ?)`, row)
}
