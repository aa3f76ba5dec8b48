package pack

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash"
	"io"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// Writer writes one pack of a known number of objects. It is for one goroutine.
type Writer struct {
	out     io.Writer
	sum     hash.Hash
	at      int64
	left    uint32
	written map[plumbing.Hash]int64
	z       *zlib.Writer
	buf     bytes.Buffer
	head    []byte
}

// NewWriter writes the header of a pack of n objects.
func NewWriter(w io.Writer, n uint32) (*Writer, error) {
	pw := &Writer{out: w, sum: newSum(), left: n, written: make(map[plumbing.Hash]int64, n)}
	head := append([]byte("PACK"), 0, 0, 0, 2)
	return pw, pw.write(binary.BigEndian.AppendUint32(head, n))
}

func (w *Writer) write(b []byte) error {
	w.sum.Write(b)
	n, err := w.out.Write(b)
	w.at += int64(n)
	return err
}

func (w *Writer) entry(name plumbing.Hash, h header, deflated []byte) error {
	if w.left == 0 {
		return fault.New(fault.Internal, "more objects than the pack's header says")
	}
	w.left--
	w.written[name] = w.at
	w.head = appendHeader(w.head[:0], h)
	if err := w.write(w.head); err != nil {
		return err
	}
	return w.write(deflated)
}

// Object deflates and writes one object.
func (w *Writer) Object(name plumbing.Hash, kind plumbing.ObjectType, data []byte) error {
	w.buf.Reset()
	if w.z == nil {
		w.z = zlib.NewWriter(&w.buf)
	} else {
		w.z.Reset(&w.buf)
	}
	if _, err := w.z.Write(data); err != nil {
		return err
	}
	if err := w.z.Close(); err != nil {
		return err
	}
	return w.entry(name, header{kind: kind, size: int64(len(data))}, w.buf.Bytes())
}

// Copy writes an object of a set as it lies there. A delta stays one when its
// base is sent too, which wanted says; with offsets a base that was written
// before is named by its distance, else by its hash.
func (w *Writer) Copy(s *Set, name plumbing.Hash, wanted func(plumbing.Hash) bool, offsets bool) error {
	at, ok := s.find(name)
	if !ok {
		return fault.New(fault.NotFound, "there is no object %s", name)
	}
	h, deflated, err := at.pack.raw(at.offset)
	if err != nil {
		return err
	}
	if !h.delta() {
		return w.entry(name, h, deflated)
	}
	baseAt, err := at.pack.base(at.offset, h)
	if err != nil {
		return err
	}
	base, _, ok := at.pack.at(baseAt)
	if !ok {
		return fault.New(fault.Corrupt, "the pack %s has no object at %d", at.pack.name, baseAt)
	}
	if !wanted(base) {
		kind, data, err := s.read(at)
		if err != nil {
			return err
		}
		return w.Object(name, kind, data)
	}
	if before, ok := w.written[base]; ok && offsets {
		return w.entry(name, header{kind: plumbing.OFSDeltaObject, size: h.size, distance: w.at - before}, deflated)
	}
	return w.entry(name, header{kind: plumbing.REFDeltaObject, size: h.size, ref: base}, deflated)
}

// Close writes the trailer and returns it. The underlying writer stays open.
func (w *Writer) Close() (plumbing.Hash, error) {
	if w.left != 0 {
		return plumbing.ZeroHash, fault.New(fault.Internal, "%d objects fewer than the pack's header says", w.left)
	}
	var sum plumbing.Hash
	copy(sum[:], w.sum.Sum(nil))
	_, err := w.out.Write(sum[:])
	return sum, err
}
