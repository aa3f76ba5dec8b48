// Package chunk packs the points of one series into a few bytes and back,
// bit for bit.
//
// A chunk describes itself, so chunks of one series are simply laid end to end
// in a row. Values that are decimals of a common scale become integers, then
// differences from their neighbours or from their minimum, then bits of one
// width; what is not decimal goes through XOR (Gorilla, by chunkenc) or, where
// even that is longer, is stored as it is. Which of these is chosen changes
// only the size, never what comes back: minus zero, infinities and the payloads
// of NaNs included.
//
// It refuses points that are not in strictly ascending time, and on the way
// back anything that its checksum does not vouch for; no input makes it panic
// or allocate more than MaxCount points. It does no I/O, holds no state and
// starts nothing.
package chunk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"vigil/engine/series"
)

// MaxCount is the most points one chunk may hold.
const MaxCount = 256

// Target is how many points a chunk is meant to hold.
const Target = 120

// ErrCorrupt is what decoding says of bytes that Append did not write.
var ErrCorrupt = errors.New("chunk: checksum or structure does not hold")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The ways of writing values, in the low bits of a chunk's kind byte.
const (
	codecConst   = 0 // one value, 8 bytes
	codecDecimal = 1 // scale, integers
	codecXOR     = 2 // chunkenc, times included
	codecRaw     = 3 // 8 bytes each
	codecMask    = 0x0f
	timeRegular  = 0x10 // all steps are equal: nothing but the span is stored
)

// Head is what can be known of a chunk without unpacking it.
type Head struct {
	MinT, MaxT int64
	Count      int
}

// Room is what Append of n points may need behind dst while it weighs how to write
// them: 145 bits a point and what stands around them.
func Room(n int) int { return 19*n + 64 }

// Append packs points (strictly ascending T, 1 to MaxCount of them) and appends
// the chunk to dst. It panics on an empty or oversized list and allocates nothing
// but what dst grows by.
func Append(dst []byte, pts []series.Point) []byte {
	if len(pts) == 0 || len(pts) > MaxCount {
		panic("chunk: a chunk holds 1 to 256 points")
	}
	// The body is written behind a gap that is wide enough for its length, and
	// moved down once the length is known.
	const gap = 3
	at := len(dst)
	dst = append(dst, 0, 0, 0)
	body := len(dst)
	dst = appendBody(dst, pts)
	sum := crc32.Checksum(dst[body:], castagnoli)
	dst = append(dst, byte(sum), byte(sum>>8))
	n := len(dst) - body
	var l [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(l[:], uint64(n))
	if w > gap {
		dst = append(dst, make([]byte, w-gap)...)
	}
	copy(dst[at+w:], dst[body:body+n])
	copy(dst[at:], l[:w])
	return dst[:at+w+n]
}

func appendBody(dst []byte, pts []series.Point) []byte {
	n := len(pts)
	kind := len(dst)
	dst = append(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendVarint(dst, pts[0].T)
	dst = binary.AppendUvarint(dst, uint64(pts[n-1].T)-uint64(pts[0].T))
	var flags byte
	if regular(pts) {
		flags = timeRegular
	}
	times := func(dst []byte) []byte {
		if flags == 0 {
			dst = appendTimes(dst, pts)
		}
		return dst
	}
	if constant(pts) {
		dst[kind] = codecConst | flags
		return binary.LittleEndian.AppendUint64(times(dst), bits(pts[0].V))
	}
	var ints [MaxCount]int64
	if scale, ok := decimal(ints[:n], pts); ok {
		dst[kind] = codecDecimal | flags
		dst = append(times(dst), byte(scale))
		return appendSeries(dst, ints[:n])
	}
	if out := appendXOR(dst, pts); len(out)-len(dst) < 8*n {
		out[kind] = codecXOR | timeRegular
		return out
	}
	dst[kind] = codecRaw | flags
	dst = times(dst)
	for _, p := range pts {
		dst = binary.LittleEndian.AppendUint64(dst, bits(p.V))
	}
	return dst
}

// Next reads the head of the first chunk of b and returns the chunk's body and
// what follows it. The body's checksum is not looked at yet.
func Next(b []byte) (h Head, body, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n < 4 || n > uint64(len(b)-w) {
		return h, nil, nil, ErrCorrupt
	}
	body, rest = b[w:w+int(n)], b[w+int(n):]
	r := reader{b: body[1 : len(body)-2]}
	count := r.uvarint()
	h.MinT = r.varint()
	h.MaxT = int64(uint64(h.MinT) + r.uvarint())
	if r.bad || count == 0 || count > MaxCount || h.MaxT < h.MinT {
		return h, nil, nil, ErrCorrupt
	}
	h.Count = int(count)
	return h, body, rest, nil
}

// Decode unpacks the body that Next returned and appends its points to dst. On
// an error dst comes back as it was.
func Decode(dst []series.Point, body []byte) ([]series.Point, error) {
	if len(body) < 4 {
		return dst, ErrCorrupt
	}
	sum := crc32.Checksum(body[:len(body)-2], castagnoli)
	if body[len(body)-2] != byte(sum) || body[len(body)-1] != byte(sum>>8) {
		return dst, ErrCorrupt
	}
	r := reader{b: body[1 : len(body)-2]}
	n := int(min(r.uvarint(), MaxCount+1))
	mint := r.varint()
	span := r.uvarint()
	if r.bad || n == 0 || n > MaxCount || int64(uint64(mint)+span) < mint {
		return dst, ErrCorrupt
	}
	from := len(dst)
	codec := body[0] & codecMask
	if codec == codecXOR {
		out, ok := unxor(dst, r.b, n)
		if !ok {
			return dst[:from], ErrCorrupt
		}
		return out, nil
	}
	var ints [MaxCount]int64
	if !r.times(ints[:n], mint, span, body[0]&timeRegular != 0) {
		return dst, ErrCorrupt
	}
	for _, t := range ints[:n] {
		dst = append(dst, series.Point{T: t})
	}
	out := dst[from:]
	switch codec {
	case codecConst:
		v := unbits(r.uint64())
		for i := range out {
			out[i].V = v
		}
	case codecDecimal:
		scale := r.byte()
		if int(scale) >= len(pow10) || !r.series(ints[:n]) {
			return dst[:from], ErrCorrupt
		}
		p := pow10[scale]
		for i := range out {
			out[i].V = float64(ints[i]) / p
		}
	case codecRaw:
		for i := range out {
			out[i].V = unbits(r.uint64())
		}
	default:
		return dst[:from], ErrCorrupt
	}
	if r.bad {
		return dst[:from], ErrCorrupt
	}
	return dst, nil
}

// DecodeAll appends the points of every chunk in row that may hold points with
// mint < T <= maxt; chunks outside are stepped over, and points outside within
// a chunk are left out.
func DecodeAll(dst []series.Point, row []byte, mint, maxt int64) ([]series.Point, error) {
	for len(row) > 0 {
		h, body, rest, err := Next(row)
		if err != nil {
			return dst, err
		}
		row = rest
		if h.MaxT <= mint || h.MinT > maxt {
			continue
		}
		from := len(dst)
		if dst, err = Decode(dst, body); err != nil {
			return dst, err
		}
		if h.MinT > mint && h.MaxT <= maxt {
			continue
		}
		kept := dst[:from]
		for _, p := range dst[from:] {
			if p.T > mint && p.T <= maxt {
				kept = append(kept, p)
			}
		}
		dst = kept
	}
	return dst, nil
}
