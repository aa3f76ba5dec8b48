package rows

import (
	"context"

	"vigil/engine/series"
	"vigil/engine/tsdb/rows/tail"
)

// Tail is what the store needs to know of a series without reading its rows.
type Tail = tail.Tail

// None is the tail of a series without rows.
func None() Tail { return tail.None() }

func (d *DB) tail(ref series.Ref) Tail {
	if b := d.tails[uint64(ref)/tail.InBucket]; b != nil {
		return b[uint64(ref)%tail.InBucket]
	}
	return None()
}

// Tails calls fn for every series that has rows.
func (d *DB) Tails(fn func(series.Ref, Tail)) {
	for bucket, b := range d.tails {
		for i, t := range b {
			if !t.Empty() {
				fn(series.Ref(bucket*tail.InBucket+uint64(i)), t)
			}
		}
	}
}

// maxSpares is how many buckets are kept for the next transaction, at 24 KB each.
const maxSpares = 16

// spare takes a bucket that nobody looks at any more.
func (d *DB) spare(b *tail.Bucket) {
	if len(d.spares) < maxSpares {
		d.spares = append(d.spares, b)
	}
}

// bucket is an empty one.
func (d *DB) bucket() *tail.Bucket {
	n := len(d.spares)
	if n == 0 {
		return tail.NewBucket()
	}
	b := d.spares[n-1]
	d.spares = d.spares[:n-1]
	for i := range b {
		b[i] = None()
	}
	return b
}

func (d *DB) loadTails(ctx context.Context) error {
	d.tails = map[uint64]*tail.Bucket{}
	rs, err := d.w.QueryContext(ctx, "SELECT bucket, body FROM tail")
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var bucket uint64
		var body []byte
		if err := rs.Scan(&bucket, &body); err != nil {
			return err
		}
		if d.tails[bucket], err = tail.Decode(body); err != nil {
			return err
		}
	}
	return rs.Err()
}
