package chunk

import (
	"encoding/binary"
	mathbits "math/bits"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"vigil/engine/series"
)

// appendXOR packs times and values in the format of chunkenc's XOR chunks (Gorilla,
// section 4.1 of Pelkonen et al., VLDB 2015; the steps of times are Prometheus'),
// which unxor reads. It writes straight behind dst and allocates nothing else,
// where chunkenc's own writer takes six allocations a chunk.
func appendXOR(dst []byte, pts []series.Point) []byte {
	w := bitWriter{b: binary.BigEndian.AppendUint16(dst, uint16(len(pts)))}
	var varint [binary.MaxVarintLen64]byte
	var step uint64
	lead, trail := uint8(noWindow), uint8(0)
	for i, p := range pts {
		switch i {
		case 0:
			w.bytes(varint[:binary.PutVarint(varint[:], p.T)])
			w.bits(bits(p.V), 64)
			continue
		case 1:
			step = uint64(p.T - pts[0].T)
			w.bytes(varint[:binary.PutUvarint(varint[:], step)])
		default:
			next := uint64(p.T - pts[i-1].T)
			w.change(int64(next - step))
			step = next
		}
		w.value(bits(p.V)^bits(pts[i-1].V), &lead, &trail)
	}
	return w.end()
}

// noWindow is that no value has been written yet that later ones could share the
// zeros around its bits with.
const noWindow = 0xff

// change writes by how much a step differs from the one before.
func (w *bitWriter) change(c int64) {
	if c == 0 {
		w.bits(0, 1)
		return
	}
	for _, size := range [...]struct {
		mark  uint64
		marks int
		width int
	}{{0b10, 2, 14}, {0b110, 3, 17}, {0b1110, 4, 20}} {
		if half := int64(1) << (size.width - 1); -half < c && c <= half {
			w.bits(size.mark, size.marks)
			w.bits(uint64(c), size.width)
			return
		}
	}
	w.bits(0b1111, 4)
	w.bits(uint64(c), 64)
}

// value writes the bits in which a value differs from the one before: those between
// lead zeros in front and trail behind, which stay as they are while they do.
func (w *bitWriter) value(x uint64, lead, trail *uint8) {
	if x == 0 {
		w.bits(0, 1)
		return
	}
	front, back := uint8(min(mathbits.LeadingZeros64(x), 31)), uint8(mathbits.TrailingZeros64(x))
	if *lead != noWindow && front >= *lead && back >= *trail {
		w.bits(0b10, 2)
		w.bits(x>>*trail, 64-int(*lead)-int(*trail))
		return
	}
	*lead, *trail = front, back
	n := 64 - int(front) - int(back)
	w.bits(0b11, 2)
	w.bits(uint64(front), 5)
	w.bits(uint64(n), 6) // 64 is written as 0, which never occurs
	w.bits(x>>back, n)
}

// bitWriter appends bits, the highest first.
type bitWriter struct {
	b    []byte
	acc  uint64 // the last have bits of it are not in b yet
	have int    // under 8
}

// bits writes the low n of x.
func (w *bitWriter) bits(x uint64, n int) {
	for n > 32 {
		n -= 32
		w.bits(x>>n, 32)
	}
	w.acc = w.acc<<n | x&(1<<n-1)
	for w.have += n; w.have >= 8; w.have -= 8 {
		w.b = append(w.b, byte(w.acc>>(w.have-8)))
	}
}

func (w *bitWriter) bytes(b []byte) {
	for _, c := range b {
		w.bits(uint64(c), 8)
	}
}

// end fills the last byte with zeros.
func (w *bitWriter) end() []byte {
	if w.have > 0 {
		w.b = append(w.b, byte(w.acc<<(8-w.have)))
	}
	return w.b
}

// unxor reads n points from what appendXOR wrote; ok is false where there are not n,
// or their times do not ascend.
func unxor(dst []series.Point, b []byte, n int) (out []series.Point, ok bool) {
	if len(b) < 3 || int(binary.BigEndian.Uint16(b)) != n {
		return dst, false
	}
	c := chunkenc.NewXORChunk()
	c.Reset(b)
	from := len(dst)
	it := c.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		t, v := it.At()
		if len(dst) > from && t <= dst[len(dst)-1].T {
			return dst[:from], false
		}
		dst = append(dst, series.Point{T: t, V: v})
	}
	if it.Err() != nil || len(dst)-from != n {
		return dst[:from], false
	}
	return dst, true
}
