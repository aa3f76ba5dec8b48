package pack

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// header is what stands before the deflated bytes of an entry: kind and
// inflated size, and for a delta where its base is. The format is git's
// gitformat-pack(5).
type header struct {
	kind     plumbing.ObjectType
	size     int64
	distance int64         // back to the base, for an offset delta
	ref      plumbing.Hash // the base, for a reference delta
	n        int           // bytes of the header
}

func (h header) delta() bool {
	return h.kind == plumbing.OFSDeltaObject || h.kind == plumbing.REFDeltaObject
}

var errHeader = errors.New("an entry with a broken header")

// readHeader takes no more bytes than the header has.
func readHeader(r io.ByteReader) (header, error) {
	var h header
	next := func() (byte, error) {
		b, err := r.ReadByte()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		h.n++
		return b, err
	}
	b, err := next()
	if err != nil {
		return h, err
	}
	h.kind, h.size = plumbing.ObjectType(b>>4&7), int64(b&15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if shift > 53 {
			return h, errHeader
		}
		if b, err = next(); err != nil {
			return h, err
		}
		h.size |= int64(b&0x7f) << shift
	}
	switch h.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		if b, err = next(); err != nil {
			return h, err
		}
		h.distance = int64(b & 0x7f)
		for b&0x80 != 0 {
			if b, err = next(); err != nil {
				return h, err
			}
			if h.distance > 1<<48 {
				return h, errHeader
			}
			h.distance = (h.distance+1)<<7 | int64(b&0x7f)
		}
		if h.distance == 0 {
			return h, errHeader
		}
	case plumbing.REFDeltaObject:
		for i := range h.ref {
			if h.ref[i], err = next(); err != nil {
				return h, err
			}
		}
	default:
		return h, errHeader
	}
	return h, nil
}

// appendHeader is the inverse of readHeader.
func appendHeader(b []byte, h header) []byte {
	size := uint64(h.size)
	c := byte(h.kind)<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b = append(b, c|0x80)
		c = byte(size & 0x7f)
	}
	b = append(b, c)
	switch h.kind {
	case plumbing.OFSDeltaObject:
		var rev [10]byte
		i, d := len(rev)-1, uint64(h.distance)
		rev[i] = byte(d & 0x7f)
		for d >>= 7; d > 0; d >>= 7 {
			d--
			i--
			rev[i] = byte(d&0x7f) | 0x80
		}
		b = append(b, rev[i:]...)
	case plumbing.REFDeltaObject:
		b = append(b, h.ref[:]...)
	}
	return b
}

// deltaSizes reads the two sizes that a delta begins with.
func deltaSizes(delta []byte) (base, target int64, err error) {
	take := func() (v int64) {
		for shift := 0; ; shift += 7 {
			if len(delta) == 0 || shift > 53 {
				err = errors.New("a delta without its sizes")
				return 0
			}
			c := delta[0]
			delta = delta[1:]
			v |= int64(c&0x7f) << shift
			if c&0x80 == 0 {
				return v
			}
		}
	}
	base = take()
	target = take()
	return base, target, err
}

// head reads the header of the entry at an offset.
func (p *Pack) head(offset int64) (header, error) {
	var buf [64]byte
	n, err := p.file.ReadAt(buf[:min(int64(len(buf)), max(0, p.size-trailer-offset))], offset)
	if err != nil && err != io.EOF {
		return header{}, fault.Wrap(fault.Corrupt, err, "the pack %s at %d", p.name, offset)
	}
	h, err := readHeader(bytes.NewReader(buf[:n]))
	return h, fault.Wrap(fault.Corrupt, err, "the pack %s at %d", p.name, offset)
}
