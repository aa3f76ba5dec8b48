package past

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

// attempts opens a table of its own in memory.
func attempts(t rapid.TB) *conn.Conn {
	c, err := conn.Open(conn.DSN("", "", "mode=memory"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(`CREATE TABLE attempts (id INTEGER PRIMARY KEY, epoch INTEGER, remediation INTEGER, n INTEGER, subject TEXT, policy TEXT, kind TEXT,
		started_wall INTEGER, started_boot INTEGER, started_boot_id TEXT, finished TEXT)`, conn.Row{}); err != nil {
		t.Fatal(err)
	}
	return c
}

func add(t rapid.TB, c *conn.Conn, id int64, subject, policy, kind string, at clock.Stamp, open bool) {
	var row conn.Row
	row.Int(id)
	row.Text(subject)
	row.Text(policy)
	row.Text(kind)
	row.Int(at.Wall)
	row.Int(at.Boot)
	row.Text(at.BootID)
	if open {
		row.Blob(nil)
	} else {
		row.Stamp(at.Add(time.Millisecond))
	}
	if _, err := c.Exec("INSERT INTO attempts VALUES (NULL, 1, ?, 1, ?, ?, ?, ?, ?, ?, ?)", row); err != nil {
		t.Fatal(err)
	}
}

// TestWalkSaysWhatTheListsSay: over any past, with restarts of the host in it, the
// one walk and the lists of their own agree, and so does a plain reading of the
// definition: whoever started within the period, by a clock that was right.
func TestWalkSaysWhatTheListsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := attempts(t)
		defer c.Close()
		at := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: int64(time.Hour), BootID: "boot-0"}
		type one struct {
			id            int64
			subject, kind string
			policy        string
			at            clock.Stamp
		}
		var all []one
		boots := 0
		for i := range rapid.IntRange(0, walk-1).Draw(t, "attempts") {
			at = at.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "gap")) * time.Second)
			if rapid.IntRange(0, 40).Draw(t, "reboot") == 0 {
				boots++
				at.Boot, at.BootID = int64(time.Minute), "boot-"+strconv.Itoa(boots)
			}
			o := one{int64(i + 1), "s" + strconv.Itoa(rapid.IntRange(0, 4).Draw(t, "subject")),
				rapid.SampledFrom([]string{"exec", "file"}).Draw(t, "kind"), rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "policy"), at}
			all = append(all, o)
			add(t, c, o.id, o.subject, o.policy, o.kind, o.at, false)
		}
		per := func(name string) int64 {
			return int64(time.Duration(rapid.IntRange(0, 7200).Draw(t, name)) * time.Second)
		}
		q := remedy.Query{Subject: "s1", Policy: rapid.SampledFrom([]string{"", "p"}).Draw(t, "of policy"), Kind: "exec",
			SubjectPer: per("subject per"), PolicyPer: per("policy per"), KindPer: per("kind per"), Storm: per("storm")}
		now := at.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "later")) * time.Second)

		var want remedy.History
		touched := map[string]int{}
		for _, o := range all {
			ago := (now.Wall - o.at.Wall) * 1000
			if o.subject == q.Subject {
				want.LastEnd, want.LastEndBy = o.at.Add(time.Millisecond), o.id
				if ago < q.SubjectPer {
					want.BySubject = append(want.BySubject, o.at)
				}
			}
			if q.Policy != "" && o.policy == q.Policy && ago < q.PolicyPer {
				want.ByPolicy = append(want.ByPolicy, o.at)
			}
			if o.kind == q.Kind && ago < q.KindPer {
				want.ByKind = append(want.ByKind, o.at)
			}
			if ago < q.Storm {
				touched[o.subject] = int(o.id)
			}
		}
		for _, o := range all {
			if touched[o.subject] == int(o.id) {
				want.Subjects = append(want.Subjects, remedy.Touched{Subject: o.subject, At: o.at})
			}
		}
		var got remedy.History
		if err := Read(c, q, now, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if q.Policy == "" {
			q.PolicyPer = 0
		}
		if err := ofEach(c, q, now, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal("by their indexes: " + d)
		}
	})
}

// TestFloodIsReadByItsIndexes: where more attempts are recent than one walk looks
// at, no list is short.
func TestFloodIsReadByItsIndexes(t *testing.T) {
	c := attempts(t)
	defer c.Close()
	at := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: int64(time.Hour), BootID: "boot-0"}
	add(t, c, 1, "s1", "p", "exec", at, false)
	for i := range 2 * walk {
		at = at.Add(time.Second)
		add(t, c, int64(i+2), "f"+strconv.Itoa(i), "", "file", at, false)
	}
	add(t, c, 10_000, "s1", "p", "exec", at, true)
	var h remedy.History
	q := remedy.Query{Subject: "s1", Policy: "p", Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(time.Hour), KindPer: int64(time.Hour), Storm: int64(time.Hour)}
	if err := Read(c, q, at.Add(time.Second), &h); err != nil {
		t.Fatal(err)
	}
	if len(h.BySubject) != 2 || len(h.ByPolicy) != 2 || len(h.ByKind) != 2 || len(h.Subjects) != 2*walk+1 {
		t.Errorf("%d of the subject, %d of the policy, %d of the kind, %d touched", len(h.BySubject), len(h.ByPolicy), len(h.ByKind), len(h.Subjects))
	}
	if h.Open != "1-10000-1" || h.LastEndBy != 1 {
		t.Errorf("open %q, last by %d", h.Open, h.LastEndBy)
	}
}
