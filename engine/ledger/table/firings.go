package table

import (
	"context"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/life"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// maxSmall bounds the rows that people and programs write: policies, holds,
// firings, remediations.
const maxSmall = 1 << 20

const firingColumns = "policy, fingerprint, labels, target, version, state, value, life, closed, evaluation"

func firingRow(f engine.FiringRow) (r conn.Row) {
	r.Text(f.Policy)
	r.Int(int64(f.Fingerprint))
	var key []byte
	for _, l := range f.Labels {
		key = series.AppendLabel(key, l.Name, l.Value)
	}
	r.Blob(key)
	r.Text(f.Target)
	r.Int(f.Version)
	r.Text(string(f.State.State))
	r.Int(bits(f.State.Value))
	st := f.State
	st.Value = 0 // JSON has no NaN
	r.JSON("the state of a firing", st, maxSmall)
	if f.Closed == "" {
		r.Blob(nil)
	} else {
		r.Text(f.Closed)
	}
	r.Int(int64(f.Evaluation))
	r.Bound("a firing", maxSmall)
	r.Seal()
	return r
}

func readFiring(cs *conn.Cells, as *life.Reader) (f engine.FiringRow, err error) {
	if err := cs.Open("firings"); err != nil {
		return f, err
	}
	f.Policy, f.Fingerprint = cs.Text(), uint64(cs.Int())
	if f.Labels, err = series.ParseKey(cs.Blob()); err != nil {
		return f, fault.Wrap(fault.Corrupt, err, "the labels of a firing of %s", f.Policy)
	}
	f.Target, f.Version = cs.Text(), cs.Int()
	cs.Text() // the state, which life repeats
	value := unbits(cs.Int())
	cs.JSONOr(&f.State, func(text string) bool {
		if as.Read(text, &f.State) {
			return true
		}
		f.State = policy.Firing{}
		return false
	})
	f.State.Value = value
	f.Closed = cs.TextOrNull()
	f.Evaluation = uint64(cs.Int())
	return f, nil
}

// PutFiring writes a firing whose row is at f.Version.
func (t *Tx) PutFiring(f engine.FiringRow) error {
	was := f.Version
	f.Version++
	row := firingRow(f)
	if was == 0 {
		_, err := t.Exec("INSERT INTO firings ("+firingColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
		if fault.KindOf(err) == fault.Conflict {
			return fault.Wrap(fault.Conflict, err, "policy %s has an open firing for %s already", f.Policy, f.Labels)
		}
		return err
	}
	row.Text(f.Policy)
	row.Int(int64(f.Fingerprint))
	row.Int(was)
	n, err := t.Exec("UPDATE firings SET ("+firingColumns+", sum) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE policy = ? AND fingerprint = ? AND closed IS NULL AND version = ?", row)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "the firing of policy %s for %s is not at version %d any more", f.Policy, f.Labels, was)
	}
	return err
}

// FiringVersion is that of the open firing, 0 if there is none.
func (t *Tx) FiringVersion(policyName string, fingerprint uint64) (v int64, err error) {
	var row conn.Row
	row.Text(policyName)
	row.Int(int64(fingerprint))
	err = t.Query(context.Background(), "SELECT version FROM firings WHERE policy = ? AND fingerprint = ? AND closed IS NULL", row, func(cs *conn.Cells) error {
		v = cs.Int()
		return nil
	})
	return v, err
}

// OpenFirings lists those that are not closed.
func OpenFirings(ctx context.Context, c *conn.Conn) (out []engine.FiringRow, err error) {
	var as life.Reader
	err = c.Query(ctx, "SELECT "+firingColumns+", sum FROM firings WHERE closed IS NULL ORDER BY policy, fingerprint", conn.Row{}, func(cs *conn.Cells) error {
		f, err := readFiring(cs, &as)
		out = append(out, f)
		return err
	})
	return out, err
}
