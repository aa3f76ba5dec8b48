package chunk

import (
	"encoding/binary"
	mathbits "math/bits"
)

// A list of integers is written as a width byte, then the minimum, then the
// differences from it, divided by what divides them all, in that many bits
// each; or, where one outlier would make
// all of them wide, as varints behind the width byte `loose`.
const (
	loose    = 0xff
	scaled   = 0x40 // flag on the width: a common divisor follows the minimum
	maxWidth = 56   // one unaligned 8-byte load always covers a value
)

// A series of integers is written with one of two leads: the values themselves,
// or the first value and the differences between neighbours.
const (
	leadPlain = 0
	leadDelta = 1
)

func zigzag(x int64) uint64   { return uint64(x)<<1 ^ uint64(x>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func uvarintLen(u uint64) int { return (mathbits.Len64(u|1) + 6) / 7 }

// frame is how a list of integers will be written.
type frame struct {
	low   int64
	unit  uint64 // every difference from low is a multiple of it
	width int    // bits of a difference divided by unit, or loose
	size  int    // bytes that appendInts will take
}

func measure(xs []int64) frame {
	if len(xs) == 0 {
		return frame{unit: 1, size: 2}
	}
	low, high := xs[0], xs[0]
	varints := 1
	for _, x := range xs {
		low, high = min(low, x), max(high, x)
		varints += uvarintLen(zigzag(x))
	}
	f := frame{low: low, unit: 1}
	if low != high {
		f.unit = unit(xs, low)
	}
	f.width = mathbits.Len64((uint64(high) - uint64(low)) / f.unit)
	f.size = 1 + uvarintLen(zigzag(low)) + (len(xs)*f.width+7)/8
	if f.unit > 1 {
		f.size += uvarintLen(f.unit)
	}
	if f.width > maxWidth || varints < f.size {
		f.width, f.size = loose, varints
	}
	return f
}

// unit is the greatest common divisor of the differences from low: bytes come
// in pages, times in seconds, prices in fives.
func unit(xs []int64, low int64) uint64 {
	var g uint64
	for _, x := range xs {
		for d := uint64(x) - uint64(low); d != 0; {
			g, d = d, g%d
		}
		if g == 1 {
			break
		}
	}
	return g
}

func appendInts(dst []byte, xs []int64) []byte {
	f := measure(xs)
	if f.width == loose {
		dst = append(dst, loose)
		for _, x := range xs {
			dst = binary.AppendVarint(dst, x)
		}
		return dst
	}
	width := f.width
	if f.unit == 1 {
		dst = binary.AppendVarint(append(dst, byte(width)), f.low)
	} else {
		dst = binary.AppendVarint(append(dst, byte(width)|scaled), f.low)
		dst = binary.AppendUvarint(dst, f.unit)
	}
	if width == 0 {
		return dst
	}
	var acc uint64
	have := 0
	for _, x := range xs {
		u := uint64(x) - uint64(f.low)
		if f.unit != 1 {
			u /= f.unit
		}
		acc |= u << have
		if have += width; have >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have -= 64
			acc = u >> (width - have)
		}
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// appendSeries writes integers by whichever lead is shorter. It overwrites xs.
func appendSeries(dst []byte, xs []int64) []byte {
	plain := measure(xs).size
	first := xs[0]
	prev := first
	for i, x := range xs {
		xs[i] = x - prev
		prev = x
	}
	delta := measure(xs[1:]).size
	if delta+uvarintLen(zigzag(first)) < plain {
		dst = append(dst, leadDelta)
		dst = binary.AppendVarint(dst, first)
		return appendInts(dst, xs[1:])
	}
	xs[0] = first
	for i := 1; i < len(xs); i++ {
		xs[i] += xs[i-1]
	}
	return appendInts(append(dst, leadPlain), xs)
}

// reader walks bytes; once anything is missing it stays bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.bad = true
		return 0
	}
	u := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return u
}

func (r *reader) uvarint() uint64 {
	u, w := binary.Uvarint(r.b)
	if w <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[w:]
	return u
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

// ints reads what appendInts wrote into out, whose length says how many.
func (r *reader) ints(out []int64) bool {
	width := int(r.byte())
	if width == loose {
		for i := range out {
			out[i] = r.varint()
		}
		return !r.bad
	}
	unit := uint64(1)
	low := uint64(r.varint())
	if width&scaled != 0 {
		width &^= scaled
		unit = r.uvarint()
	}
	size := (len(out)*width + 7) / 8
	if r.bad || width > maxWidth || size > len(r.b) {
		r.bad = true
		return false
	}
	packed := r.b[:size]
	r.b = r.b[size:]
	mask := uint64(1)<<width - 1
	at := 0
	i := 0
	for ; i < len(out) && at>>3+8 <= len(packed); i++ {
		u := binary.LittleEndian.Uint64(packed[at>>3:]) >> (at & 7)
		out[i] = int64(u&mask*unit + low)
		at += width
	}
	// The last few values lie too near the end for a whole load.
	var tail [16]byte
	if base := at >> 3; base < len(packed) {
		copy(tail[:], packed[base:])
		at -= base << 3
	} else {
		at = 0
	}
	for ; i < len(out); i++ {
		u := binary.LittleEndian.Uint64(tail[at>>3:]) >> (at & 7)
		out[i] = int64(u&mask*unit + low)
		at += width
	}
	return true
}

// series reads what appendSeries wrote.
func (r *reader) series(out []int64) bool {
	switch r.byte() {
	case leadPlain:
		return r.ints(out)
	case leadDelta:
		out[0] = r.varint()
		if !r.ints(out[1:]) {
			return false
		}
		for i := 1; i < len(out); i++ {
			out[i] += out[i-1]
		}
		return !r.bad
	}
	r.bad = true
	return false
}
