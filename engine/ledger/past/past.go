// Package past is what the gates look back on: who was acted on lately, as the
// attempts say it inside a claim's transaction.
//
// The attempts on the subject are read by its index, and one walk over the newest
// attempts of the host serves all else; where very many are recent, each list has
// an index of its own. A walk ends at the first that is too old for everybody, so
// its cost does not grow with the age of the ledger. It refuses to judge: what a
// start is worth across boots the gates decide. It blocks on disk and keeps
// nothing.
package past

import (
	"context"
	"errors"
	"slices"
	"time"

	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

// maxStarts is how many starts a history lists of one kind: as many as the
// largest limit that anybody would set.
const maxStarts = 1000

// leap is the distance of two wall clocks, in different boots, that says more
// about the clocks than about the time between.
const leap = 366 * 24 * time.Hour

// walk is how many of the host's newest attempts are looked at in one go. Where so
// many were recent, each list is read by its own index.
const walk = 256

// quiet is how many attempts of earlier boots in a row, none of them recent, end
// the walk: the wall clock may have been wrong in one of those boots, but not for
// ever.
const quiet = 64

// Read fills in the attempts of h: the open one and the last end on the subject,
// the recent starts, and who was touched.
func Read(c *conn.Conn, q remedy.Query, now clock.Stamp, h *remedy.History) error {
	if q.Subject != "" {
		if err := ofSubject(c, q, now, h); err != nil {
			return err
		}
	}
	if q.Policy == "" {
		q.PolicyPer = 0
	}
	if q.Kind == "" {
		q.KindPer = 0
	}
	whole, err := ofHost(c, q, now, h)
	if err != nil || whole {
		return err
	}
	return ofEach(c, q, now, h)
}

// recent says whether an attempt was started within the period: by the boot clock
// within this boot, by the wall clock before it, and also where the wall clock
// cannot tell, having gone backwards or leapt.
func recent(at, now clock.Stamp, per int64) bool {
	if per <= 0 {
		return false
	}
	if at.BootID == now.BootID {
		return at.Boot > now.Boot-per
	}
	return at.Wall > now.Wall-per/1000 || at.Wall < now.Wall-max(leap.Microseconds(), per/1000)
}

// readStart reads the columns of started. Most are of this boot, and told so
// without its id.
func readStart(cs *conn.Cells, now clock.Stamp) clock.Stamp {
	at := clock.Stamp{Wall: cs.Int(), Boot: cs.Int(), BootID: cs.TextOrNull()}
	if at.BootID == "" {
		at.BootID = now.BootID
	}
	return at
}

const started = "started_wall, started_boot, CASE WHEN started_boot_id = ? THEN NULL ELSE started_boot_id END"

// errEnough ends a walk; nobody else sees it.
var errEnough = errors.New("enough")

// ofSubject reads the newest attempts on the subject: the open one, which is the
// newest of all, the end of the last, and the recent starts.
func ofSubject(c *conn.Conn, q remedy.Query, now clock.Stamp, h *remedy.History) (err error) {
	var row conn.Row
	row.Text(now.BootID)
	row.Text(q.Subject)
	row.Int(maxStarts)
	counts := q.SubjectPer > 0
	err = c.Query(context.Background(), "SELECT epoch, remediation, n, finished, "+started+" FROM attempts WHERE subject = ? ORDER BY id DESC LIMIT ?", row, func(cs *conn.Cells) error {
		a := remedy.Attempt{Epoch: cs.Int(), Remediation: cs.Int(), N: int(cs.Int()), Finished: cs.Stamp()}
		at := readStart(cs, now)
		switch {
		case a.Finished.IsZero():
			h.Open = a.ID()
		case h.LastEnd.IsZero():
			h.LastEnd, h.LastEndBy = a.Finished, a.Remediation
		}
		if counts = counts && recent(at, now, q.SubjectPer); counts {
			h.BySubject = append(h.BySubject, at)
		} else if !h.LastEnd.IsZero() {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	slices.Reverse(h.BySubject)
	return nil
}

// ofHost walks over the newest attempts of the host; whole says that it came to
// those that are too old.
func ofHost(c *conn.Conn, q remedy.Query, now clock.Stamp, h *remedy.History) (whole bool, err error) {
	if q.PolicyPer <= 0 && q.KindPer <= 0 && q.Storm <= 0 {
		return true, nil
	}
	var row conn.Row
	row.Text(q.Policy)
	row.Text(q.Kind)
	row.Text(now.BootID)
	row.Int(now.Boot - max(q.Storm, 0))
	row.Text(now.BootID)
	row.Int(walk)
	looked, stale := 0, 0
	var touched touches
	// The subject is text, and read only where a storm may count it.
	err = c.Query(context.Background(), "SELECT policy = ?, kind = ?, CASE WHEN started_boot_id = ? AND started_boot <= ? THEN NULL ELSE subject END, "+started+
		" FROM attempts ORDER BY id DESC LIMIT ?", row, func(cs *conn.Cells) error {
		looked++
		policy, kind, subject := cs.Bool(), cs.Bool(), cs.TextOrNull()
		at := readStart(cs, now)
		byPolicy, byKind, inStorm := recent(at, now, q.PolicyPer), recent(at, now, q.KindPer), recent(at, now, q.Storm)
		if !byPolicy && !byKind && !inStorm {
			if stale++; at.BootID == now.BootID || stale >= quiet {
				return errEnough
			}
			return nil
		}
		stale = 0
		if byPolicy && policy {
			h.ByPolicy = append(h.ByPolicy, at)
		}
		if byKind && kind {
			h.ByKind = append(h.ByKind, at)
		}
		if inStorm {
			touched.add(subject, at)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	slices.Reverse(h.ByPolicy)
	slices.Reverse(h.ByKind)
	h.Subjects = touched.oldestFirst()
	return err != nil || looked < walk, nil
}

// ofEach reads each list by its own index, at most maxStarts of it.
func ofEach(c *conn.Conn, q remedy.Query, now clock.Stamp, h *remedy.History) (err error) {
	h.ByPolicy, h.ByKind, h.Subjects = nil, nil, nil
	list := func(into *[]clock.Stamp) func(string, clock.Stamp) {
		return func(_ string, at clock.Stamp) { *into = append(*into, at) }
	}
	if err := starts(c, "policy = ? AND policy <> ''", q.Policy, q.PolicyPer, now, list(&h.ByPolicy)); err != nil {
		return err
	}
	if err := starts(c, "kind = ?", q.Kind, q.KindPer, now, list(&h.ByKind)); err != nil {
		return err
	}
	var touched touches
	if err := starts(c, "'' = ?", "", q.Storm, now, touched.add); err != nil {
		return err
	}
	slices.Reverse(h.ByPolicy)
	slices.Reverse(h.ByKind)
	h.Subjects = touched.oldestFirst()
	return nil
}

// starts calls each for the recent attempts that match, newest first, until the
// first that is not recent.
func starts(c *conn.Conn, where, key string, per int64, now clock.Stamp, each func(subject string, at clock.Stamp)) error {
	if per <= 0 {
		return nil
	}
	var row conn.Row
	row.Text(now.BootID)
	row.Text(key)
	row.Int(maxStarts)
	err := c.Query(context.Background(), "SELECT subject, "+started+" FROM attempts WHERE "+where+" ORDER BY id DESC LIMIT ?", row, func(cs *conn.Cells) error {
		subject, at := cs.Text(), readStart(cs, now)
		if !recent(at, now, per) {
			return errEnough
		}
		each(subject, at)
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// touches are distinct subjects with their newest start, the newest first.
type touches struct {
	list []remedy.Touched
	seen map[string]bool
}

func (s *touches) add(subject string, at clock.Stamp) {
	if s.seen[subject] {
		return
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[subject] = true
	s.list = append(s.list, remedy.Touched{Subject: subject, At: at})
}

func (s *touches) oldestFirst() []remedy.Touched {
	slices.Reverse(s.list)
	return s.list
}
