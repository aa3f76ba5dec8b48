package rows

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/rows/sheet"
	"vigil/engine/tsdb/rows/tail"
)

// Series is a series as it lies in the database.
type Series struct {
	Ref   series.Ref
	Token string
	Key   []byte // labels in the encoding of series.Item.Key, sorted
}

// Packed is one chunk.
type Packed struct {
	MinT, MaxT int64
	Count      int
	Bytes      []byte
}

// Put is what one series gets in a Write: chunks in the order in which they were
// filled; of two points with one time the later chunk's wins.
type Put struct {
	Ref    series.Ref
	Chunks []Packed
	Cut    uint64
	Era    uint32
	Newest int64

	Tail Tail // filled by Write: the series' tail afterwards
}

// Meta is the store's own state.
type Meta struct {
	Horizon    uint64 // samples before this log position are in rows
	Generation uint64 // log segments before this one are dead
	Seq        uint64 // of the next log record, at least
	Newest     uint64 // generation of the newest log segment that holds a record
	NextRef    uint64
	Era        uint32
	Confirmed  uint32 // the last era a person or the time sync vouched for
	Wall       int64  // Unix ms of the last write
}

func (m *Meta) fields() map[string]any {
	return map[string]any{
		"horizon": &m.Horizon, "generation": &m.Generation, "seq": &m.Seq, "newest": &m.Newest, "next_ref": &m.NextRef,
		"era": &m.Era, "confirmed": &m.Confirmed, "wall": &m.Wall,
	}
}

// LoadMeta reads the state; a new database has the zero Meta.
func (d *DB) LoadMeta(ctx context.Context) (Meta, error) {
	var m Meta
	fields := m.fields()
	rs, err := d.w.QueryContext(ctx, "SELECT key, value FROM meta")
	if err != nil {
		return m, err
	}
	defer rs.Close()
	for rs.Next() {
		var key string
		var value int64
		if err := rs.Scan(&key, &value); err != nil {
			return m, err
		}
		switch p := fields[key].(type) {
		case *uint64:
			*p = uint64(value)
		case *uint32:
			*p = uint32(value)
		case *int64:
			*p = value
		}
	}
	return m, rs.Err()
}

func saveMeta(ctx context.Context, tx *sql.Tx, m Meta) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO meta(key,value) VALUES('horizon',?),('generation',?),('seq',?),('newest',?),('next_ref',?),
		('era',?),('confirmed',?),('wall',?) ON CONFLICT DO UPDATE SET value=excluded.value`,
		int64(m.Horizon), int64(m.Generation), int64(m.Seq), int64(m.Newest), int64(m.NextRef), int64(m.Era), int64(m.Confirmed), m.Wall)
	return err
}

// LoadSeries calls fn for every series, in order of their refs.
func (d *DB) LoadSeries(ctx context.Context, fn func(Series) error) error {
	rs, err := d.w.QueryContext(ctx, "SELECT id, token, labels FROM series ORDER BY id")
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var s Series
		var id int64
		var key sql.RawBytes
		if err := rs.Scan(&id, &s.Token, &key); err != nil {
			return err
		}
		s.Ref, s.Key = series.Ref(id), key
		if err := fn(s); err != nil {
			return err
		}
	}
	return rs.Err()
}

// SaveMeta writes the state alone.
func (d *DB) SaveMeta(ctx context.Context, m Meta) error { return d.Write(ctx, nil, nil, &m) }

// Write puts new series and chunks into the database, and the state where it is
// given, in one durable transaction, and moves the write-ahead log into the file
// afterwards. After an error nothing of it counts.
func (d *DB) Write(ctx context.Context, defs []Series, puts []Put, m *Meta) error {
	tx, err := d.w.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Statements take no context that can end: each would cost a goroutine that waits
	// for it. Between two of them the transaction looks at its own.
	still := context.WithoutCancel(ctx)
	if err := define(still, tx, defs); err != nil {
		return err
	}
	w := d.newWriter(tx)
	defer w.end()
	for i := range puts {
		if err := w.put(still, &puts[i]); err != nil {
			return err
		}
	}
	if err := w.flush(still); err != nil {
		return err
	}
	if err := w.saveTails(still); err != nil {
		return err
	}
	if m != nil {
		if err := saveMeta(still, tx, *m); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.adopt()
	d.events = append(d.events, w.events...)
	d.stats.Transactions++
	d.stats.RowsMerged += w.merged
	if _, err := d.checkpoint(ctx); err != nil {
		return err
	}
	return d.measure(ctx)
}

func define(ctx context.Context, tx *sql.Tx, defs []Series) error {
	if len(defs) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx, "INSERT INTO series(id,token,labels) VALUES(?,?,?) ON CONFLICT DO UPDATE SET token=excluded.token, labels=excluded.labels")
	if err != nil {
		return err
	}
	defer st.Close()
	for _, s := range defs {
		if _, err := st.ExecContext(ctx, int64(s.Ref), s.Token, s.Key); err != nil {
			return err
		}
	}
	return nil
}

// The statements over sheets.
var (
	insertRows = "INSERT INTO chunk(series,mint,maxt,count,blob) " + sheet.Select("series", "mint", "maxt", "count")
	extendRows = "UPDATE chunk SET maxt=s.maxt, count=chunk.count+s.count, blob=CAST(chunk.blob||s.body AS BLOB) FROM (" +
		sheet.Select("series", "mint", "maxt", "count") + ") AS s WHERE chunk.series=s.series AND chunk.mint=s.mint"
	replaceTails = "INSERT INTO tail(bucket,body) " + sheet.Select("bucket") + " WHERE true ON CONFLICT DO UPDATE SET body=excluded.body"
)

// writer is one transaction's work. Rows wait in sheets until one is full, or
// until somebody has to see them.
type writer struct {
	d       *DB
	tx      *sql.Tx
	fresh   *sheet.Sheet // new rows
	longer  *sheet.Sheet // what is added to rows that are there
	last    series.Ref   // whose row waits in longer
	touched map[uint64]*tail.Bucket
	events  []Event
	merged  uint64
}

// newWriter begins; end must follow.
func (d *DB) newWriter(tx *sql.Tx) *writer {
	return &writer{d: d, tx: tx, fresh: &d.sheets[0], longer: &d.sheets[1], touched: d.touched}
}

// end gives back what the transaction worked with; without adopt before it,
// nothing of it counts.
func (w *writer) end() {
	w.fresh.Reset()
	w.longer.Reset()
	for _, b := range w.touched {
		w.d.spare(b)
	}
	clear(w.touched)
}

// adopt makes the tails of a transaction that was committed those of the database.
func (w *writer) adopt() {
	for bucket, b := range w.touched {
		if old := w.d.tails[bucket]; old != nil {
			w.d.spare(old)
		}
		w.d.tails[bucket] = b
	}
	clear(w.touched)
}

// tail returns a tail that may be changed.
func (w *writer) tail(ref series.Ref) *Tail {
	bucket := uint64(ref) / tail.InBucket
	b := w.touched[bucket]
	if b == nil {
		b = w.d.bucket()
		if old := w.d.tails[bucket]; old != nil {
			*b = *old
		}
		w.touched[bucket] = b
	}
	return &b[uint64(ref)%tail.InBucket]
}

func (w *writer) saveTails(ctx context.Context) error {
	sh := w.fresh // flushed before
	for bucket, b := range w.touched {
		from := len(sh.Bodies)
		sh.Bodies = tail.Append(sh.Bodies, b)
		sh.Row(from, int64(bucket))
		if !sh.Full() {
			continue
		}
		if _, err := sh.Put(ctx, w.tx, w.d.retail); err != nil {
			return err
		}
	}
	if sh.Len() == 0 {
		return nil
	}
	_, err := sh.Put(ctx, w.tx, w.d.retail)
	return err
}

// flush writes the rows that wait. New ones come first.
func (w *writer) flush(ctx context.Context) error {
	if w.fresh.Len() > 0 {
		if _, err := w.fresh.Put(ctx, w.tx, w.d.insert); err != nil {
			return err
		}
	}
	if want := int64(w.longer.Len()); want > 0 {
		k, err := w.longer.Put(ctx, w.tx, w.d.extend)
		if err != nil {
			return err
		}
		if k != want {
			return fmt.Errorf("%w: of the last rows of %d series %d are there", tail.ErrBody, want, k)
		}
	}
	w.last = 0
	return nil
}

// put lays the chunks of one series into its rows.
func (w *writer) put(ctx context.Context, p *Put) error {
	t := w.tail(p.Ref)
	// A put makes at most one row longer before it merges. Refs ascend, so that no row
	// is made longer twice in one sheet.
	twice := w.last >= p.Ref
	for cs := p.Chunks; len(cs) > 0; twice = false {
		if twice || w.fresh.Full() || w.longer.Full() {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
		n := w.inOrder(p.Ref, t, cs)
		if n == 0 {
			if err := w.flush(ctx); err != nil { // it looks at rows
				return err
			}
			if err := w.merge(ctx, p, t, cs[0]); err != nil {
				return fmt.Errorf("series %d: %w", p.Ref, err)
			}
			n = 1
		}
		for _, c := range cs[:n] {
			t.MinT, t.MaxT = min(t.MinT, c.MinT), max(t.MaxT, c.MaxT)
		}
		cs = cs[n:]
	}
	t.Cut, t.Era, t.Newest = p.Cut, p.Era, p.Newest
	p.Tail = *t
	return nil
}

// inOrder writes as many chunks as follow the last row without touching another,
// and says how many: into the last row while it has room, then into one new row.
func (w *writer) inOrder(ref series.Ref, t *Tail, cs []Packed) int {
	end, limit, room := int64(math.MinInt64), int64(math.MaxInt64), 0
	if !t.Empty() {
		end, limit, room = t.Row.MaxT, t.Row.Limit, w.d.cfg.RowBytes-t.Row.Bytes
	}
	if !t.Empty() && cs[0].MinT <= end || cs[0].MaxT >= limit {
		return 0
	}
	fresh := t.Empty() || len(cs[0].Bytes) > room
	sh := w.longer
	if fresh {
		sh, room = w.fresh, max(w.d.cfg.RowBytes, len(cs[0].Bytes))
	}
	from := len(sh.Bodies)
	n, count, empty := 0, 0, t.Empty()
	for _, c := range cs {
		if len(c.Bytes) > room-(len(sh.Bodies)-from) || n > 0 && c.MinT <= end || c.MaxT >= limit {
			break
		}
		sh.Bodies = append(sh.Bodies, c.Bytes...)
		count += c.Count
		end = c.MaxT
		n++
	}
	size := len(sh.Bodies) - from
	if fresh {
		sh.Row(from, int64(ref), cs[0].MinT, end, int64(count))
		if empty {
			limit = math.MaxInt64
		}
		t.Row = tail.Last{MinT: cs[0].MinT, MaxT: end, Bytes: size, Limit: limit}
		return n
	}
	sh.Row(from, int64(ref), t.Row.MinT, end, int64(count))
	w.last = ref
	t.Row.MaxT, t.Row.Bytes = end, t.Row.Bytes+size
	return n
}

// merge writes a chunk that lies among older rows: it joins those it overlaps,
// point by point, or stands between them.
func (w *writer) merge(ctx context.Context, p *Put, t *Tail, c Packed) error {
	ref := p.Ref
	blobs, mints, err := w.overlapping(ctx, ref, c.MinT, c.MaxT)
	if err != nil {
		return err
	}
	pts := make([]series.Point, 0, 1024)
	for i, blob := range blobs {
		if pts, err = chunk.DecodeAll(pts, blob, math.MinInt64, math.MaxInt64); err != nil {
			// What was readable of it stays; the rest cannot be kept from the new
			// samples' sake.
			w.events = append(w.events, Event{"row_dropped", w.d.cfg.Path, fmt.Sprintf("series %d, row at %d: %v", ref, mints[i], err)})
		}
	}
	if pts, err = chunk.DecodeAll(pts, c.Bytes, math.MinInt64, math.MaxInt64); err != nil {
		return err
	}
	for _, mint := range mints {
		if _, err := w.tx.ExecContext(ctx, "DELETE FROM chunk WHERE series=? AND mint=?", int64(ref), mint); err != nil {
			return err
		}
	}
	w.merged += uint64(len(mints))
	pts = LastWins(pts)
	// A new era goes on from its own last row, wherever that lies.
	moves := slices.Contains(mints, t.Row.MinT) || t.Row.Bytes == tail.Gone || len(mints) == 0 && p.Era != t.Era
	if t.Row.MinT < pts[0].T && !moves {
		t.Row.Limit = min(t.Row.Limit, pts[0].T)
	}
	for len(pts) > 0 {
		var blob []byte
		from, count := pts[0].T, 0
		for len(pts) > 0 {
			n := min(len(pts), chunk.Target)
			before := len(blob)
			blob = chunk.Append(blob, pts[:n])
			if before > 0 && len(blob) > w.d.cfg.RowBytes {
				blob = blob[:before]
				break
			}
			count += n
			c.MaxT = pts[n-1].T
			pts = pts[n:]
		}
		if _, err := w.tx.ExecContext(ctx, "INSERT INTO chunk(series,mint,maxt,count,blob) VALUES(?,?,?,?,?)", int64(ref), from, c.MaxT, count, blob); err != nil {
			return err
		}
		if moves {
			t.Row = tail.Last{MinT: from, MaxT: c.MaxT, Bytes: len(blob)}
		}
	}
	if !moves {
		return nil
	}
	return w.tx.QueryRowContext(ctx, "SELECT coalesce(min(mint), ?) FROM chunk WHERE series=? AND mint>?",
		int64(math.MaxInt64), int64(ref), t.Row.MinT).Scan(&t.Row.Limit)
}

// overlapping returns the rows of a series that share a moment with [mint, maxt].
func (w *writer) overlapping(ctx context.Context, ref series.Ref, mint, maxt int64) (blobs [][]byte, mints []int64, err error) {
	rs, err := w.tx.QueryContext(ctx, overlap, int64(ref), mint, maxt)
	if err != nil {
		return nil, nil, err
	}
	defer rs.Close()
	for rs.Next() {
		var m, end int64
		var blob []byte
		if err := rs.Scan(&m, &end, &blob); err != nil {
			return nil, nil, err
		}
		if end >= mint {
			blobs, mints = append(blobs, blob), append(mints, m)
		}
	}
	return blobs, mints, rs.Err()
}

// overlap starts at the last row that begins at or before the range: rows of a
// series never overlap, so nothing earlier can reach into it.
const overlap = `SELECT mint, maxt, blob FROM chunk WHERE series=?1 AND mint<=?3 AND mint>=coalesce(
	(SELECT mint FROM chunk WHERE series=?1 AND mint<=?2 ORDER BY mint DESC LIMIT 1), ?2) ORDER BY mint`

// LastWins sorts points by time and keeps, of those with one time, the one that
// came last. It works in place.
func LastWins(pts []series.Point) []series.Point {
	sorted := true
	for i := 1; i < len(pts) && sorted; i++ {
		sorted = pts[i].T > pts[i-1].T
	}
	if sorted {
		return pts
	}
	slices.SortStableFunc(pts, func(a, b series.Point) int {
		switch {
		case a.T < b.T:
			return -1
		case a.T > b.T:
			return 1
		}
		return 0
	})
	n := 0
	for i, p := range pts {
		if i+1 < len(pts) && pts[i+1].T == p.T {
			continue
		}
		pts[n] = p
		n++
	}
	return pts[:n]
}
