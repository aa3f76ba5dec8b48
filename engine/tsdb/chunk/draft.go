package chunk

import (
	"encoding/binary"

	"vigil/engine/series"
)

// A draft is a packing that is quick to write and never leaves memory: the points
// of a chunk that is still being filled. It weighs no alternatives, has no
// checksum, and takes about three bytes a point where a chunk takes one.
//
//	draft = count, scale or draftRaw, first time, time..., value...
//	time  = change of the step from the time before (zigzag)
//	value = first integer, difference from the integer before (zigzag); or 8 bytes
const draftRaw = 0xff

// MaxDraft is the most points one draft may hold.
const MaxDraft = 32

// AppendDraft packs points (strictly ascending T, 1 to MaxDraft of them). It panics
// on an empty or oversized list and allocates nothing.
func AppendDraft(dst []byte, pts []series.Point) []byte {
	if len(pts) == 0 || len(pts) > MaxDraft {
		panic("chunk: a draft holds 1 to 32 points")
	}
	var ints [MaxDraft]int64
	scale, ok := decimal(ints[:len(pts)], pts)
	if !ok {
		scale = draftRaw
	}
	dst = binary.AppendVarint(append(dst, byte(len(pts)), byte(scale)), pts[0].T)
	at, step := uint64(pts[0].T), uint64(0)
	for i := 1; i < len(pts); i++ {
		next := uint64(pts[i].T) - at
		dst = appendZigzag(dst, int64(next-step))
		at, step = at+next, next
	}
	if !ok {
		for i := range pts {
			dst = binary.LittleEndian.AppendUint64(dst, bits(pts[i].V))
		}
		return dst
	}
	var prev int64
	for _, x := range ints[:len(pts)] {
		dst = appendZigzag(dst, x-prev)
		prev = x
	}
	return dst
}

// appendZigzag is AppendVarint with a short way for what is small.
func appendZigzag(dst []byte, x int64) []byte {
	if u := zigzag(x); u < 0x80 {
		return append(dst, byte(u))
	}
	return binary.AppendVarint(dst, x)
}

func (r *reader) zigzag() int64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		u := r.b[0]
		r.b = r.b[1:]
		return unzigzag(uint64(u))
	}
	return r.varint()
}

// DecodeDrafts appends the points of drafts that lie end to end. On an error dst
// comes back as it was.
func DecodeDrafts(dst []series.Point, b []byte) ([]series.Point, error) {
	from := len(dst)
	for r := (reader{b: b}); len(r.b) > 0; {
		n, scale := int(r.byte()), r.byte()
		if n == 0 || n > MaxDraft || scale != draftRaw && int(scale) >= len(pow10) {
			return dst[:from], ErrCorrupt
		}
		at, step := uint64(r.varint()), uint64(0)
		first := len(dst)
		dst = append(dst, series.Point{T: int64(at)})
		for range n - 1 {
			step += uint64(r.zigzag())
			at += step
			dst = append(dst, series.Point{T: int64(at)})
		}
		pts := dst[first:]
		if scale == draftRaw {
			for i := range pts {
				pts[i].V = unbits(r.uint64())
			}
		} else {
			var x int64
			p := pow10[scale]
			for i := range pts {
				x += r.zigzag()
				pts[i].V = float64(x) / p
			}
		}
		if r.bad {
			return dst[:from], ErrCorrupt
		}
	}
	return dst, nil
}

// DraftStart is the time of the first point of a draft.
func DraftStart(b []byte) int64 {
	if len(b) < 3 {
		return 0
	}
	r := reader{b: b[2:]}
	return r.varint()
}
