package rows

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"vigil/engine/series"
)

// Tail is what the store needs to know of a series without reading its rows. It
// is written in the transaction that writes them.
type Tail struct {
	Cut        uint64 // log position up to which the series' samples are in rows
	Era        uint32 // of the newest sample in rows
	Newest     int64  // its time, the base of the out-of-order window
	MinT, MaxT int64  // over all rows
	row        lastRow
}

// lastRow is the row that was written last: the next chunk may join it.
type lastRow struct {
	mint, maxt int64
	bytes      int
	limit      int64 // where the next row begins, if there is one behind it
}

// None is the tail of a series without rows.
func None() Tail {
	return Tail{Newest: math.MinInt64, MinT: math.MaxInt64, MaxT: math.MinInt64}
}

// Empty says whether the series has no rows.
func (t Tail) Empty() bool { return t.MaxT < t.MinT }

// Tails of neighbouring series share a row of bucketSize.
const bucketSize = 256

var errBody = errors.New("a row of state does not read back")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (d *DB) tail(ref series.Ref) Tail {
	if b := d.tails[uint64(ref)/bucketSize]; b != nil {
		return b[uint64(ref)%bucketSize]
	}
	return None()
}

// Tails calls fn for every series that has rows.
func (d *DB) Tails(fn func(series.Ref, Tail)) {
	for bucket, b := range d.tails {
		for i, t := range b {
			if !t.Empty() {
				fn(series.Ref(bucket*bucketSize+uint64(i)), t)
			}
		}
	}
}

func newBucket() *[bucketSize]Tail {
	b := new([bucketSize]Tail)
	for i := range b {
		b[i] = None()
	}
	return b
}

// maxSpares is how many buckets are kept for the next transaction, at 24 KB each.
const maxSpares = 16

// spare takes a bucket that nobody looks at any more.
func (d *DB) spare(b *[bucketSize]Tail) {
	if len(d.spares) < maxSpares {
		d.spares = append(d.spares, b)
	}
}

// bucket is an empty one.
func (d *DB) bucket() *[bucketSize]Tail {
	n := len(d.spares)
	if n == 0 {
		return newBucket()
	}
	b := d.spares[n-1]
	d.spares = d.spares[:n-1]
	for i := range b {
		b[i] = None()
	}
	return b
}

// appendBucket writes a bucket behind dst, with its checksum.
func appendBucket(dst []byte, b *[bucketSize]Tail) []byte {
	from, out := len(dst), dst
	for i, t := range b {
		if t.Empty() {
			continue
		}
		out = append(out, byte(i))
		out = binary.AppendUvarint(out, t.Cut)
		out = binary.AppendUvarint(out, uint64(t.Era))
		for _, v := range [...]int64{t.Newest, t.MinT, t.MaxT - t.MinT, t.row.mint - t.MaxT, t.row.maxt - t.MaxT, int64(t.row.bytes), t.row.limit} {
			out = binary.AppendVarint(out, v)
		}
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[from:], castagnoli))
}

func decodeBucket(body []byte) (*[bucketSize]Tail, error) {
	b := newBucket()
	n := len(body) - 4
	if n < 0 || crc32.Checksum(body[:n], castagnoli) != binary.LittleEndian.Uint32(body[n:]) {
		return nil, errBody
	}
	for body = body[:n]; len(body) > 0; {
		i := body[0]
		body = body[1:]
		var u [2]uint64
		var v [7]int64
		for j := range u {
			x, w := binary.Uvarint(body)
			if w <= 0 {
				return nil, errBody
			}
			u[j], body = x, body[w:]
		}
		for j := range v {
			x, w := binary.Varint(body)
			if w <= 0 {
				return nil, errBody
			}
			v[j], body = x, body[w:]
		}
		maxt := v[1] + v[2]
		b[i] = Tail{
			Cut: u[0], Era: uint32(u[1]), Newest: v[0], MinT: v[1], MaxT: maxt,
			row: lastRow{mint: v[3] + maxt, maxt: v[4] + maxt, bytes: int(v[5]), limit: v[6]},
		}
	}
	return b, nil
}

func (d *DB) loadTails(ctx context.Context) error {
	d.tails = map[uint64]*[bucketSize]Tail{}
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
		if d.tails[bucket], err = decodeBucket(body); err != nil {
			return err
		}
	}
	return rs.Err()
}
