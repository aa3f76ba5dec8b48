package desired

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type RevisionsCmd struct {
	N     int64 `arg:"" optional:"" help:"Everything about this one."`
	Limit int   `help:"How many." default:"20"`
}

// Help shows examples.
func (RevisionsCmd) Help() string {
	return "Examples:\n  vigild revisions\n  vigild revisions 12\n  vigild revisions --limit 200 -o json"
}

// Run lists them, newest first.
func (c *RevisionsCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	if c.N > 0 {
		v, err := r.Revision(ctx, c.N)
		if err != nil {
			return err
		}
		return s.Print(v, func() error { return one(s, v) })
	}
	if c.Limit < 1 {
		return fault.New(fault.Usage, "--limit is not above zero")
	}
	list := contract.RevisionList{Revisions: []contract.Revision{}}
	for before := ""; len(list.Revisions) < c.Limit; {
		page, err := r.Revisions(ctx, before, min(pageSize, c.Limit-len(list.Revisions)))
		if err != nil {
			return err
		}
		list.Revisions, list.Next = append(list.Revisions, page.Revisions...), page.Next
		if before = page.Next; before == "" {
			break
		}
	}
	return s.Print(list, func() error {
		rows := make([][]string, len(list.Revisions))
		for i, v := range list.Revisions {
			said := v.Subject
			if v.Why != "" {
				said += " (" + v.Why + ")"
			}
			rows[i] = []string{strconv.FormatInt(v.N, 10), short(v.Commit), v.State, age(v.SeenAt), strconv.Itoa(v.Changed), strconv.Itoa(v.Pruned), v.Author, said}
		}
		return s.Table([]string{"N", "COMMIT", "STATE", "AGE", "CHANGED", "PRUNED", "AUTHOR", "SUBJECT"}, rows)
	})
}

// one prints everything about a revision that is not empty.
func one(s *session.Session, v contract.Revision) error {
	fmt.Fprintf(s.Out, "%s  %s\n", s.Paint(session.Bold, fmt.Sprintf("revision %d", v.N)), paint(s, v.State))
	back := ""
	if v.Return > 0 {
		back = fmt.Sprintf("from revision %d", v.Return)
	}
	for _, row := range [][2]string{
		{"why", v.Why}, {"commit", v.Commit}, {"ref", v.Ref}, {"subject", v.Subject}, {"author", v.Author}, {"signer", v.Signer}, {"source", v.Source},
		{"pushed by", v.Pusher}, {"reason", v.Reason}, {"a return", back}, {"seen", when(v.SeenAt)}, {"began", when(v.BeganAt)}, {"applied", when(v.AppliedAt)}, {"ended", when(v.EndedAt)},
		{"things", fmt.Sprintf("%d wanted, %s taken, %d taken away", v.Items, session.Count(v.Changed, "step", "steps"), v.Pruned)},
	} {
		if row[1] != "" {
			fmt.Fprintf(s.Out, "  %-10s %s\n", row[0], session.Plain(row[1]))
		}
	}
	return nil
}

func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

type RollbackCmd struct {
	Commit string `arg:"" optional:"" help:"One that was good; without it, the newest good one before the one that holds."`
	Reason string `help:"Why; it stands in the audit trail." required:""`
	Wait   bool   `help:"Until it is good or not."`
}

// Help shows examples.
func (RollbackCmd) Help() string {
	return "What holds now is marked bad and not tried again until the branch moves on.\n\nExamples:\n  vigild rollback --reason \"the site is down\"\n  vigild rollback 3f2c9a1 --wait --reason \"known to be good\""
}

// Run goes back.
func (c *RollbackCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	v, err := r.Rollback(ctx, c.Commit, c.Reason)
	if err != nil {
		return err
	}
	return began(ctx, s, r, v, c.Wait)
}

type RetryCmd struct {
	Commit string `arg:"" help:"One that is bad."`
	Wait   bool   `help:"Until it is good or not."`
}

// Help shows an example.
func (RetryCmd) Help() string {
	return "Example:\n  vigild retry 3f2c9a1 --wait"
}

// Run applies it again.
func (c *RetryCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	v, err := r.RetryRevision(ctx, c.Commit)
	if err != nil {
		return err
	}
	return began(ctx, s, r, v, c.Wait)
}

// open says that the host still has something to do about a revision.
func open(v contract.Revision) bool {
	switch v.State {
	case "seen", "applying", "checking", "undoing":
		return true
	}
	return false
}

// began tells of a revision that is on its way, and waits for its end if asked.
func began(ctx context.Context, s *session.Session, r *client.Client, v contract.Revision, wait bool) error {
	told := ""
	for wait && open(v) {
		if v.State != told {
			told = v.State
			fmt.Fprintf(s.Err, "revision %d, %s: %s\n", v.N, short(v.Commit), v.State)
		}
		select {
		case <-ctx.Done():
			fmt.Fprintln(s.Err, "it goes on without this command")
			return fault.New(fault.Cancelled, "revision %d is %s", v.N, v.State).Mend("vigild revisions %d tells how it goes on", v.N)
		case <-time.After(250 * time.Millisecond):
		}
		var err error
		if v, err = r.Revision(ctx, v.N); err != nil {
			return err
		}
	}
	if err := s.Print(v, func() error {
		line := fmt.Sprintf("revision %d, %s: %s", v.N, short(v.Commit), paint(s, v.State))
		if v.Why != "" {
			line += " (" + session.Plain(v.Why) + ")"
		}
		_, err := fmt.Fprintln(s.Out, line)
		return err
	}); err != nil {
		return err
	}
	if wait && v.State != "good" {
		return session.ExitCode(fault.Conflict.Exit())
	}
	return nil
}
