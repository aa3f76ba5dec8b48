// Package tail is what is remembered of where the rows of a series end, and how it
// lies in the database: the tails of neighbours in one row, with a checksum.
//
// It refuses to read or write rows itself. All of it is pure.
package tail

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// Tail is what the store needs to know of a series without reading its rows. It
// is written in the transaction that writes them.
type Tail struct {
	Cut        uint64 // log position up to which the series' samples are in rows
	Era        uint32 // of the newest sample in rows
	Newest     int64  // its time, the base of the out-of-order window
	MinT, MaxT int64  // over all rows
	Row        Last
}

// Last is the row that was written last: the next chunk may join it.
type Last struct {
	MinT, MaxT int64
	Bytes      int
	Limit      int64 // where the next row begins, if there is one behind it
}

// Gone stands for the bytes of a last row that was taken away: nothing may join it,
// and what is written among the others is the last row from then on. Where it was no
// longer says what is free.
const Gone = math.MaxInt32

// None is the tail of a series without rows.
func None() Tail {
	return Tail{Newest: math.MinInt64, MinT: math.MaxInt64, MaxT: math.MinInt64}
}

// Empty says whether the series has no rows.
func (t Tail) Empty() bool { return t.MaxT < t.MinT }

// InBucket is how many neighbouring series share a row.
const InBucket = 256

// Bucket is the tails of neighbours.
type Bucket [InBucket]Tail

// ErrBody says that a row of state does not read back.
var ErrBody = errors.New("a row of state does not read back")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewBucket is an empty one.
func NewBucket() *Bucket {
	b := new(Bucket)
	for i := range b {
		b[i] = None()
	}
	return b
}

// Append writes a bucket behind dst, with its checksum.
func Append(dst []byte, b *Bucket) []byte {
	from, out := len(dst), dst
	for i, t := range b {
		if t.Empty() {
			continue
		}
		out = append(out, byte(i))
		out = binary.AppendUvarint(out, t.Cut)
		out = binary.AppendUvarint(out, uint64(t.Era))
		for _, v := range [...]int64{t.Newest, t.MinT, t.MaxT - t.MinT, t.Row.MinT - t.MaxT, t.Row.MaxT - t.MaxT, int64(t.Row.Bytes), t.Row.Limit} {
			out = binary.AppendVarint(out, v)
		}
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[from:], castagnoli))
}

// Decode reads what Append wrote; ErrBody: it is not that.
func Decode(body []byte) (*Bucket, error) {
	b := NewBucket()
	n := len(body) - 4
	if n < 0 || crc32.Checksum(body[:n], castagnoli) != binary.LittleEndian.Uint32(body[n:]) {
		return nil, ErrBody
	}
	for body = body[:n]; len(body) > 0; {
		i := body[0]
		body = body[1:]
		var u [2]uint64
		var v [7]int64
		for j := range u {
			x, w := binary.Uvarint(body)
			if w <= 0 {
				return nil, ErrBody
			}
			u[j], body = x, body[w:]
		}
		for j := range v {
			x, w := binary.Varint(body)
			if w <= 0 {
				return nil, ErrBody
			}
			v[j], body = x, body[w:]
		}
		maxt := v[1] + v[2]
		b[i] = Tail{
			Cut: u[0], Era: uint32(u[1]), Newest: v[0], MinT: v[1], MaxT: maxt,
			Row: Last{MinT: v[3] + maxt, MaxT: v[4] + maxt, Bytes: int(v[5]), Limit: v[6]},
		}
	}
	return b, nil
}
