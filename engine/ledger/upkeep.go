package ledger

import (
	"context"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/desired"
	"vigil/engine/ledger/disk"
	"vigil/engine/ledger/table"
)

// Stats is the ledger seen from outside, for /metrics and vigild's own series.
type Stats struct {
	disk.Stats
	Head  audit.Head
	Epoch int64
	Rows  map[string]int64 // by table; nil when the file cannot be read
}

// tables are those that Stats counts.
var tables = [...]string{"firings", "policies", "remediations", "attempts", "holds", "tokens", "audit"}

// Stats may be called at any time; it blocks on disk for the counts.
func (l *Ledger) Stats(ctx context.Context) Stats {
	s := Stats{Stats: l.file.Stats(), Head: l.AuditHead(), Epoch: l.epoch, Rows: map[string]int64{}}
	err := l.file.Read(ctx, func(c *conn.Conn) (err error) {
		for _, t := range tables {
			if s.Rows[t], err = c.Int(ctx, "SELECT count(*) FROM "+t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Rows = nil
	}
	return s
}

// trim forgets closed firings, ended holds, revisions, drifts and suspends beyond
// those that are kept; the audit remembers them. Small steps, none of them needed for correctness.
func (l *Ledger) trim(ctx context.Context) error {
	if err := l.writeUses(ctx); err != nil {
		return err
	}
	if err := l.trimFinished(ctx); err != nil {
		return err
	}
	const step = 500
	// How a commit ended is what is not tried again; a drift that ended shows that
	// something comes back again and again.
	keep := desired.Keep{Revisions: 1000, Drifts: 10_000, Suspends: 1000}
	for more := true; more; {
		err := l.write(ctx, false, func(t *table.Tx) (err error) {
			more, err = desired.Trim(t.Conn, keep, step)
			return err
		})
		if err != nil {
			return err
		}
	}
	var row conn.Row
	row.Int(step)
	row.Int(int64(l.cfg.Closed))
	for {
		n := int64(0)
		err := l.write(ctx, false, func(t *table.Tx) (err error) {
			n, err = t.Exec(`DELETE FROM firings WHERE id IN (SELECT id FROM firings WHERE closed IS NOT NULL ORDER BY id LIMIT
				min(?, max(0, (SELECT count(*) FROM firings WHERE closed IS NOT NULL) - ?)))`, row)
			if err != nil {
				return err
			}
			h, err := t.Exec(`DELETE FROM holds WHERE id IN (SELECT id FROM holds WHERE ended IS NOT NULL ORDER BY id LIMIT
				min(?, max(0, (SELECT count(*) FROM holds WHERE ended IS NOT NULL) - ?)))`, row)
			n = max(n, h)
			return err
		})
		if err != nil || n < step {
			return err
		}
	}
}

// trimFinished removes finished remediations, with their attempts, that are
// older than the newest cfg.Finished ids. Those that wait, retry or need a
// person stay, and so does the audit.
func (l *Ledger) trimFinished(ctx context.Context) error {
	const step = 200
	for {
		n := int64(0)
		err := l.write(ctx, false, func(t *table.Tx) (err error) {
			n, err = t.DropFinished(t.State.Remediation-int64(l.cfg.Finished), step)
			return err
		})
		if err != nil || n < step {
			return err
		}
	}
}

// Snapshot writes a verified copy of the ledger into dir and returns its path;
// "" is the directory from which Open restores a damaged file. Two are kept. It
// blocks for as long as the copy takes; writers go on.
func (l *Ledger) Snapshot(ctx context.Context, dir string) (string, error) {
	return l.file.Snapshot(ctx, dir)
}

// Verify says whether a file is a sound copy of a ledger that this version can
// read. It blocks for as long as reading all of it takes, and changes nothing.
func Verify(ctx context.Context, cfg Config, deps Deps, from string) error {
	l := &Ledger{cfg: cfg, deps: deps}
	return disk.Verify(ctx, cfg.disk(), l.schema(), disk.Deps{Clock: deps.Clock, Log: deps.Log}, from)
}

// Restore puts a copy in the place of the ledger in cfg.Dir, for `vigild
// restore`. The daemon must not run. What was there is moved aside; the epoch is
// bumped, what was under way becomes indeterminate, and the audit says so.
// Corrupt: the copy is damaged or no ledger. Unsupported: it is newer than this
// vigild. NotFound: it is not there. Nothing was changed then.
func Restore(ctx context.Context, cfg Config, deps Deps, from string) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	l := &Ledger{cfg: cfg, deps: deps}
	if err := disk.Replace(ctx, cfg.disk(), l.schema(), disk.Deps{Clock: deps.Clock, Log: deps.Log}, from); err != nil {
		return err
	}
	l, err := Open(cfg, deps)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "opening the restored ledger")
	}
	return l.Close()
}
