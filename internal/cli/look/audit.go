package look

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
	"vigil/internal/daemon/offline"
)

type AuditCmd struct {
	List   auditListCmd   `cmd:"" help:"List the newest records."`
	Verify auditVerifyCmd `cmd:"" help:"Recompute the chain: the daemon's, or an exported file's."`
	Export auditExportCmd `cmd:"" help:"Write every record as NDJSON."`
	Prune  auditPruneCmd  `cmd:"" help:"Remove old records that an export holds."`
}

// Help shows examples.
func (AuditCmd) Help() string {
	return "Examples:\n  vigild audit verify\n  vigild audit export > audit.ndjson\n  vigild audit verify --file audit.ndjson --decisions" +
		"\n  vigild audit prune --export audit.ndjson --older-than 90d"
}

type auditListCmd struct {
	Object string `help:"Only records about this, such as policy:web-slow or remediation:17."`
	After  int64  `help:"Only records after this one."`
	Limit  int    `help:"At most so many." default:"50"`
}

// Run lists.
func (c *auditListCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Audit(ctx, strconv.FormatInt(c.After, 10), c.Object, c.Limit)
	if err != nil {
		return err
	}
	return s.Print(list, func() error {
		rows := make([][]string, 0, len(list.Records))
		for _, a := range list.Records {
			rows = append(rows, []string{fmt.Sprint(a.Seq), session.Moment(&a.Time), a.Actor, a.Verb, a.Object, a.Reason})
		}
		return s.Table([]string{"SEQ", "TIME", "ACTOR", "VERB", "OBJECT", "REASON"}, rows)
	})
}

type auditVerifyCmd struct {
	File      string `help:"An exported file instead of the daemon's chain." placeholder:"FILE"`
	Decisions bool   `help:"With --file: make every decision again, of conditions and of gates, from the evidence in its record."`
}

// Run verifies.
func (c *auditVerifyCmd) Run(ctx context.Context, s *session.Session) error {
	if c.File != "" {
		return c.file(s)
	}
	if c.Decisions {
		return fault.New(fault.Usage, "--decisions looks at an exported file").Mend("vigild audit export > audit.ndjson, then name it with --file")
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	v, err := r.AuditVerify(ctx)
	if err != nil {
		return err
	}
	if err := s.Print(v, func() error {
		if v.OK {
			_, err := fmt.Fprintf(s.Out, "the chain is intact: %s, head %s\n", session.Count(v.Records, "record", "records"), v.Head)
			if err == nil && v.Gaps > 0 {
				_, err = fmt.Fprintf(s.Out, "the ledger was lost %s: what stood before is not in it (see vigild audit list --object ledger)\n", session.Count(v.Gaps, "time", "times"))
			}
			return err
		}
		_, err := fmt.Fprintf(s.Out, "the chain is broken: %s\n", session.Plain(v.Fault))
		return err
	}); err != nil {
		return err
	}
	if !v.OK {
		return session.ExitCode(fault.Corrupt.Exit())
	}
	return nil
}

func (c *auditVerifyCmd) file(s *session.Session) error {
	f, err := os.Open(c.File)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "audit file")
	}
	defer f.Close()
	v := audit.LooseVerifier()
	if err := audit.VerifyExport(f, v, audit.Head{}); err != nil {
		return err
	}
	if v.Count() == 0 { // an emptied file is no chain that is whole
		return fault.New(fault.Invalid, "%s holds no records: nothing was verified", c.File).Mend("vigild audit export > FILE writes them")
	}
	out := struct {
		OK        bool   `json:"ok"`
		Records   int64  `json:"records"`
		First     int64  `json:"first"` // number of the first record
		Head      string `json:"head"`
		Decisions *int   `json:"decisions,omitempty"` // that came out as they were written
		Bare      int    `json:"without_evidence,omitempty"`
		Unknown   int    `json:"of_unknown_configuration,omitempty"`
	}{true, v.Count(), v.Head().Seq - v.Count() + 1, v.Head().Hash.String(), nil, 0, 0}
	if c.Decisions {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fault.Wrap(fault.Unavailable, err, "audit file")
		}
		d, err := offline.Decisions(f)
		if err != nil {
			return err
		}
		n := d.Again()
		out.Decisions, out.Bare, out.Unknown = &n, d.Bare, d.Unknown
	}
	return s.Print(out, func() error {
		_, err := fmt.Fprintf(s.Out, "the chain is intact: %s, head %s\n", session.Count(out.Records, "record", "records"), out.Head)
		if err == nil && out.First > 1 {
			_, err = fmt.Fprintf(s.Out, "it begins with record %d: those before are not in this file\n", out.First)
		}
		if err == nil && out.Decisions != nil {
			_, err = fmt.Fprintf(s.Out, "%s\n", session.Count(*out.Decisions, "decision comes out as it was written", "decisions come out as they were written"))
		}
		if err == nil && out.Bare > 0 {
			_, err = fmt.Fprintf(s.Out, "%s no evidence to decide again by: older ones, and those of no gate\n", session.Count(out.Bare, "record about a remediation holds", "records about remediations hold"))
		}
		if err == nil && out.Unknown > 0 {
			_, err = fmt.Fprintf(s.Out, "%s decided by a configuration that is not in this file: put the exports before it in front\n", session.Count(out.Unknown, "was", "were"))
		}
		return err
	})
}

type auditExportCmd struct {
	After int64 `help:"Only records after this one."`
}

// Run exports.
func (c *auditExportCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out := s.Out
	if s.Terminal() { // in a file the lines stay byte for byte, or they would not verify
		out = &session.Escaped{To: s.Out}
	}
	return r.AuditExport(ctx, strconv.FormatInt(c.After, 10), out)
}
