// Package payload is how samples and the definitions of series lie in a record of
// the log.
//
// Appending is the hot path: it allocates nothing and takes about ten bytes a
// sample. Reading takes bytes that a checksum has vouched for and still neither
// panics nor runs away on others. It does no I/O and holds no state.
package payload

import (
	"encoding/binary"
	"errors"
	"math"

	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
)

// A log record's payload is the definitions of the series that are new in it,
// then its batches:
//
//	payload    = count of definitions, definition..., batch...
//	definition = ref, token (length, bytes), labels (length, bytes as in series.Item.Key)
//	batch      = flags, received, items, item...
//	item       = (ref - previous ref, zigzag) << 1 | several, [points], point...
//	point      = time - previous time (zigzag), value (8 bytes)
//
// Numbers are varints; differences begin from 0 in each batch.
const (
	flagOpen     = 1
	flagOwn      = 2
	flagBackfill = 4
)

// AppendDefinitions encodes definitions; it comes first in a record.
func AppendDefinitions(dst []byte, defs []rows.Series) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(defs)))
	for _, d := range defs {
		dst = binary.AppendUvarint(dst, uint64(d.Ref))
		dst = binary.AppendUvarint(dst, uint64(len(d.Token)))
		dst = append(dst, d.Token...)
		dst = binary.AppendUvarint(dst, uint64(len(d.Key)))
		dst = append(dst, d.Key...)
	}
	return dst
}

// AppendBatch encodes what of b was accepted and says how many points that is.
func AppendBatch(dst []byte, b *series.Batch) (out []byte, points int) {
	var flags byte
	if b.Open {
		flags |= flagOpen
	}
	if b.Own {
		flags |= flagOwn
	}
	if b.Backfill {
		flags |= flagBackfill
	}
	dst = append(dst, flags)
	dst = binary.AppendVarint(dst, b.Received)
	items := 0
	for i := range b.Items {
		if b.Items[i].Hi > b.Items[i].Lo {
			items++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(items))
	var ref uint64
	var at int64
	for i := range b.Items {
		it := &b.Items[i]
		n := int(it.Hi - it.Lo)
		if n == 0 {
			continue
		}
		d := zigzag(int64(uint64(it.Ref)-ref)) << 1
		ref = uint64(it.Ref)
		if n == 1 {
			dst = binary.AppendUvarint(dst, d)
		} else {
			dst = binary.AppendUvarint(dst, d|1)
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		for _, p := range b.Points[it.Lo:it.Hi] {
			dst = binary.AppendUvarint(dst, zigzag(p.T-at))
			at = p.T
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(p.V))
		}
		points += n
	}
	return dst, points
}

func zigzag(x int64) uint64   { return uint64(x)<<1 ^ uint64(x>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// ErrCorrupt is what reading says of bytes that Append did not write.
var ErrCorrupt = errors.New("a log record's payload does not read back")

// Reader reads a record's payload: Definitions once, then Batch until there is no
// more.
type Reader struct {
	b   []byte
	bad bool
}

func (p *Reader) uvarint() uint64 {
	if len(p.b) > 0 && p.b[0] < 0x80 {
		u := uint64(p.b[0])
		p.b = p.b[1:]
		return u
	}
	u, w := binary.Uvarint(p.b)
	if w <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[w:]
	return u
}

func (p *Reader) bytes() []byte {
	n := p.uvarint()
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	out := p.b[:n:n]
	p.b = p.b[n:]
	return out
}

// Definitions calls fn for each definition; what it gets aliases the record.
func (p *Reader) Definitions(fn func(ref series.Ref, token, key []byte)) error {
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		ref, token, key := p.uvarint(), p.bytes(), p.bytes()
		if !p.bad {
			fn(series.Ref(ref), token, key)
		}
	}
	if p.bad {
		return ErrCorrupt
	}
	return nil
}

// Batch reads one batch into b (header, Items with Ref, Points); more is false
// at the end.
func (p *Reader) Batch(b *series.Batch) (more bool, err error) {
	b.Reset()
	if len(p.b) == 0 {
		return false, nil
	}
	flags := p.b[0]
	p.b = p.b[1:]
	b.Open, b.Own, b.Backfill = flags&flagOpen != 0, flags&flagOwn != 0, flags&flagBackfill != 0
	b.Received = unzigzag(p.uvarint())
	items := p.uvarint()
	var ref uint64
	var at int64
	for ; items > 0 && !p.bad; items-- {
		d := p.uvarint()
		n := uint64(1)
		if d&1 != 0 {
			n = p.uvarint()
		}
		ref += uint64(unzigzag(d >> 1))
		lo := uint32(len(b.Points))
		for ; n > 0 && !p.bad; n-- {
			at += unzigzag(p.uvarint())
			if len(p.b) < 8 {
				return false, ErrCorrupt
			}
			b.Points = append(b.Points, series.Point{T: at, V: math.Float64frombits(binary.LittleEndian.Uint64(p.b))})
			p.b = p.b[8:]
		}
		b.Items = append(b.Items, series.Item{Ref: series.Ref(ref), Lo: lo, Hi: uint32(len(b.Points))})
	}
	if p.bad {
		return false, ErrCorrupt
	}
	return true, nil
}

// Read begins to read a payload.
func Read(b []byte) *Reader { return &Reader{b: b} }
