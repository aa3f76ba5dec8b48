package rows

import (
	"context"
	"math"

	"vigil/engine/series"
	"vigil/engine/tsdb/rows/tail"
)

// Oldest is the time of the oldest point in rows; ok is false when there is none.
func (d *DB) Oldest() (t int64, ok bool) {
	t = math.MaxInt64
	for _, b := range d.tails {
		for i := range b {
			if !b[i].Empty() {
				t, ok = min(t, b[i].MinT), true
			}
		}
	}
	return t, ok
}

// Delete removes rows that lie wholly before a time, at most limit of them, in
// one durable transaction. It returns how many rows and bytes went and the tails
// that changed; fewer rows than limit means that none is left.
func (d *DB) Delete(ctx context.Context, before int64, limit int) (n int, size int64, changed map[series.Ref]Tail, err error) {
	tx, err := d.w.BeginTx(ctx, nil)
	if err != nil {
		return 0, 0, nil, err
	}
	defer tx.Rollback()
	w := d.newWriter(tx)
	defer w.end()
	changed = map[series.Ref]Tail{}
	for bucket, b := range d.tails {
		for i := range b {
			if b[i].Empty() || b[i].MinT >= before || n >= limit {
				continue
			}
			ref := series.Ref(bucket*tail.InBucket + uint64(i))
			k, bytes, err := w.deleteOf(ctx, ref, before, limit-n)
			if err != nil {
				return 0, 0, nil, err
			}
			n, size = n+k, size+bytes
			if k > 0 {
				changed[ref] = *w.tail(ref)
			}
		}
	}
	if n == 0 {
		return 0, 0, nil, nil
	}
	if err := w.saveTails(ctx); err != nil {
		return 0, 0, nil, err
	}
	if err := tx.Commit(); err != nil {
		return 0, 0, nil, err
	}
	w.adopt()
	d.stats.Transactions++
	if _, err := d.w.ExecContext(ctx, "PRAGMA incremental_vacuum(1000)"); err != nil {
		return n, size, changed, err
	}
	if _, err := d.checkpoint(ctx); err != nil {
		return n, size, changed, err
	}
	return n, size, changed, d.measure(ctx)
}

// deleteOf removes the oldest rows of one series.
func (w *writer) deleteOf(ctx context.Context, ref series.Ref, before int64, limit int) (n int, size int64, err error) {
	rs, err := w.tx.QueryContext(ctx, "SELECT mint, maxt, length(blob) FROM chunk WHERE series=? ORDER BY mint LIMIT ?", int64(ref), limit+1)
	if err != nil {
		return 0, 0, err
	}
	defer rs.Close()
	left := int64(math.MaxInt64)
	var last int64
	for rs.Next() {
		var mint, maxt, length int64
		if err := rs.Scan(&mint, &maxt, &length); err != nil {
			return 0, 0, err
		}
		if maxt >= before || n == limit {
			left = mint
			break
		}
		n, size, last = n+1, size+length, mint
	}
	if err := rs.Err(); err != nil {
		return 0, 0, err
	}
	if err := rs.Close(); err != nil {
		return 0, 0, err
	}
	t := w.tail(ref)
	if n == 0 {
		// The row reaches over the line; it is looked at again when the line has
		// passed its end, not before.
		t.MinT = left
		return 0, 0, nil
	}
	if _, err := w.tx.ExecContext(ctx, "DELETE FROM chunk WHERE series=? AND mint<=?", int64(ref), last); err != nil {
		return 0, 0, err
	}
	if left == math.MaxInt64 {
		cut, era, newest := t.Cut, t.Era, t.Newest
		*t = None()
		t.Cut, t.Era, t.Newest = cut, era, newest
		return n, size, nil
	}
	t.MinT = left
	if t.Row.MinT <= last {
		t.Row.Bytes = tail.Gone
	}
	return n, size, nil
}

// Forget removes the definitions of series that have no rows.
func (d *DB) Forget(ctx context.Context, refs []series.Ref) error {
	tx, err := d.w.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, ref := range refs {
		if _, err := tx.ExecContext(ctx, "DELETE FROM series WHERE id=?", int64(ref)); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	d.stats.Transactions++
	_, err = d.checkpoint(ctx)
	return err
}

// Newest is the time of the newest point in rows, 0 when there is none.
func (d *DB) Newest() (t int64) {
	t = math.MinInt64
	for _, b := range d.tails {
		for i := range b {
			t = max(t, b[i].MaxT)
		}
	}
	if t == math.MinInt64 {
		return 0
	}
	return t
}
