package ledger

import (
	"context"
	"fmt"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/disk"
	"vigil/engine/ledger/table"
)

// begin makes the state if there is none, records a gap if there was one, and
// records the start, in one transaction.
func (l *Ledger) begin(ctx context.Context) error {
	gap, now := l.file.Gap(), l.deps.Clock()
	floor := l.file.Floor()
	epoch := int64(0)
	err := l.file.Read(ctx, func(c *conn.Conn) error {
		s, err := table.ReadState(ctx, c)
		if fault.KindOf(err) == fault.NotFound {
			err = nil
		}
		epoch, l.epoch = s.Epoch, s.Epoch
		return err
	})
	if err != nil {
		return err
	}
	if gap == nil && epoch > 0 && epoch < floor {
		gap = &disk.Gap{At: now, Reason: fmt.Sprintf("the ledger has epoch %d, but epoch %d was begun here: an older copy was put in its place", epoch, floor)}
	}
	if epoch == 0 || gap != nil {
		l.epoch = max(epoch, floor) + 1
	}
	if l.epoch != floor {
		// Before it is used: after this line no crash can give the epoch out again.
		if err := l.file.Raise(l.epoch); err != nil {
			return err
		}
	}
	if epoch == 0 {
		err := l.file.Write(ctx, disk.Job{Vital: true, Run: func(c *conn.Conn) error {
			return table.Begin(c, l.epoch)
		}})
		if err != nil {
			return err
		}
	}
	err = l.write(ctx, true, func(t *table.Tx) error {
		t.State.Epoch = l.epoch
		if gap != nil {
			if err := recordGap(t, *gap, now); err != nil {
				return err
			}
		}
		l.start, err = t.RecordStart(now, gap != nil)
		return err
	})
	if err != nil || gap == nil {
		return err
	}
	if !gap.Asked {
		l.gap = gap
	}
	return l.file.Recorded()
}

// recordGap makes the copy that took the file's place tell the truth: what was
// under way when it was made may have ended since, and nobody knows how.
func recordGap(t *table.Tx, gap disk.Gap, now clock.Stamp) error {
	lost, err := t.Disown(now, "the ledger was restored from a copy; what was done since is not known")
	if err != nil {
		return err
	}
	evidence := audit.Evidence(struct {
		disk.Gap
		Epoch         int64   `json:"epoch"`
		Indeterminate []int64 `json:"indeterminate,omitempty"`
		From          int64   `json:"after_audit_record"`
	}{gap, t.State.Epoch, lost, t.State.Head.Seq})
	r := audit.Record{At: now, Actor: "vigild", Verb: "ledger.gap", Object: "ledger", Evidence: evidence,
		Reason: fmt.Sprintf("%s; the record goes on after %d from %s", gap.Reason, t.State.Head.Seq, orNothing(gap.Restored))}
	if gap.Asked {
		r.Actor, r.Verb = "local", "ledger.restore"
	}
	return t.Chain(r)
}

// Replaced says why this start could not go on from the ledger that was there, ""
// when it could or a person restored a copy. What was held, counted and cooled
// since that copy, or ever, is not known.
func (l *Ledger) Replaced() string {
	if l.gap == nil {
		return ""
	}
	return fmt.Sprintf("%s; it goes on from %s", l.gap.Reason, orNothing(l.gap.Restored))
}

func orNothing(s string) string {
	if s == "" {
		return "an empty ledger"
	}
	return s
}

// stop marks the clean stop.
func (l *Ledger) stop() error {
	return l.write(context.Background(), true, func(t *table.Tx) error {
		return t.RecordStop(l.start, l.deps.Clock())
	})
}

// Trouble says what a person should look at in the data directory. It may be
// called at any time.
func (l *Ledger) Trouble() []string { return l.file.Trouble() }
