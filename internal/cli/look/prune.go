package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type auditPruneCmd struct {
	Export    string       `help:"What vigild audit export has written; only records that are in it go." required:"" placeholder:"FILE"`
	OlderThan session.Span `help:"Only records older than this go, such as 90d." placeholder:"SPAN"`
	KeepBytes session.Size `help:"The newest so many bytes of the file stay, such as 64MiB." placeholder:"SIZE"`
}

// Help shows examples.
func (auditPruneCmd) Help() string {
	return "The file is verified first, and must be of this daemon's chain from its beginning on. With both --older-than and\n" +
		"--keep-bytes, only what both let go is removed. The newest record always stays, and what is left still verifies.\n" +
		"Keep the file: it is the only copy then.\n\n" +
		"Examples:\n  vigild audit export > audit.ndjson\n" +
		"  vigild audit prune --export audit.ndjson --older-than 90d\n" +
		"  vigild audit prune --export audit.ndjson --keep-bytes 64MiB"
}

// Run prunes.
func (c *auditPruneCmd) Run(ctx context.Context, s *session.Session) error {
	if c.OlderThan == 0 && c.KeepBytes == 0 {
		return fault.New(fault.Usage, "nothing says which records may go").Mend("give --older-than 90d, --keep-bytes 64MiB, or both")
	}
	ex, err := c.read(time.Now())
	if err != nil {
		return err
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	var out contract.AuditPruned
	upto, err := c.agree(ctx, r, ex)
	if err == nil && upto.Seq > 0 {
		out, err = r.AuditPrune(ctx, upto.Seq, upto.Hash.String())
	}
	if err != nil {
		return err
	}
	out.OK = true
	return s.Print(out, func() error {
		if out.Removed == 0 {
			_, err := fmt.Fprintf(s.Out, "nothing was pruned: no record of %s may go that is still in the chain\n", session.Plain(c.Export))
			return err
		}
		_, err := fmt.Fprintf(s.Out, "%s went (%d to %d), the head that stays is %d %s\n", session.Count(out.Removed, "record", "records"), out.First, out.Seq, out.Seq, out.Hash)
		return err
	})
}

// export is what was learned of a file that verifies.
type export struct {
	first      int64      // number of its first record
	last       audit.Head // of its last one
	upto, prev audit.Head // the last one that may go, and the one before it; zero: none
}

// read verifies the file and finds how far it may be pruned: from the oldest
// record on up to the first that has to stay, so that a clock which stepped
// back never takes along a record that is young.
func (c *auditPruneCmd) read(now time.Time) (ex export, err error) {
	f, err := os.Open(c.Export)
	if errors.Is(err, fs.ErrNotExist) {
		return ex, fault.Wrap(fault.NotFound, err, "audit file")
	} else if err != nil {
		return ex, fault.Wrap(fault.Unavailable, err, "audit file")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ex, fault.Wrap(fault.Unavailable, err, "audit file")
	}
	if !info.Mode().IsRegular() {
		return ex, fault.New(fault.Usage, "an audit export is a regular file").At(c.Export)
	}
	left, stays := info.Size(), false
	v := audit.LooseVerifier()
	err = audit.WalkExport(f, v, audit.Head{}, func(r audit.Record, size int) {
		if ex.first == 0 {
			ex.first = r.Seq
		}
		left -= int64(size)
		young := c.OlderThan > 0 && now.Sub(r.At.Time()) <= time.Duration(c.OlderThan)
		near := c.KeepBytes > 0 && left < int64(c.KeepBytes)
		if stays = stays || young || near; !stays {
			ex.prev, ex.upto = ex.upto, r.Head()
		}
	})
	if err != nil {
		return ex, fault.Wrap(fault.KindOf(err), err, "%s does not verify, nothing was pruned", c.Export)
	}
	if v.Count() == 0 {
		return ex, fault.New(fault.Invalid, "there is no audit record in it").At(c.Export).Mend("vigild audit export > audit.ndjson")
	}
	ex.last = v.Head()
	return ex, nil
}

// agree compares the file with the daemon's chain and gives the last record that
// goes, zero for none. A record of the same hash is the same with all that
// stands before it, so one that both have shows that the file is of this chain.
func (c *auditPruneCmd) agree(ctx context.Context, r *client.Client, ex export) (audit.Head, error) {
	stored, err := r.Audit(ctx, "", "", 1)
	if err != nil {
		return audit.Head{}, err
	}
	if len(stored.Records) == 0 {
		return audit.Head{}, c.foreign("this chain has no records")
	}
	first := stored.Records[0]
	if ex.last.Seq < first.Seq {
		return audit.Head{}, nil // all of it went before
	}
	at, err := r.Audit(ctx, strconv.FormatInt(ex.last.Seq-1, 10), "", 2)
	switch {
	case err != nil:
		return audit.Head{}, err
	case len(at.Records) == 0:
		return audit.Head{}, c.foreign("it goes up to record %d, which this chain does not have", ex.last.Seq)
	case at.Records[0].Seq != ex.last.Seq || at.Records[0].Hash != ex.last.Hash.String():
		return audit.Head{}, c.foreign("its record %d has the hash %s, here it is %s", ex.last.Seq, ex.last.Hash, at.Records[0].Hash)
	case ex.first > first.Seq:
		return audit.Head{}, fault.New(fault.Precondition, "records %d to %d are not in %s and would be lost, nothing was pruned", first.Seq, ex.first-1, c.Export).
			Mend("export without --after")
	}
	if ex.upto == ex.last && len(at.Records) == 1 { // the newest record of all
		ex.upto = ex.prev
	}
	if ex.upto.Seq < first.Seq {
		return audit.Head{}, nil
	}
	return ex.upto, nil
}

func (c *auditPruneCmd) foreign(why string, args ...any) error {
	return fault.New(fault.Precondition, "%s is not of this chain: %s; nothing was pruned", c.Export, fmt.Sprintf(why, args...)).
		Mend("give an export of this daemon's own chain")
}
