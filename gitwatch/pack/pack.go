// Package pack is the packfile: read under caps, indexed, copied.
//
// [Index] takes a pack that somebody sent, lying in a file, and either writes
// its index or says which cap it breaks; nothing is believed before it was
// counted. [Pack] and [Set] read objects back, [Writer] puts packs together
// and copies what is already deflated without inflating it.
//
// It refuses thin packs, an object twice in one pack, deltas without a base,
// chains and sizes over [Caps], and bytes after the trailer.
// Invariants: every object of an indexed pack was inflated, hashed with
// collision detection and found to have the size it claimed; a delta's base
// lies in the same pack.
//
// It starts nothing; every call ends with its work or with its context.
package pack

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"vigil/engine/fault"
)

const trailer = 20 // the SHA-1 at the end of a pack

// Pack is one pack and its index, open for reading. It is safe for concurrent
// use; it is closed when the last of its holders lets go.
type Pack struct {
	name    string // without .pack
	file    *os.File
	size    int64
	sum     plumbing.Hash
	hashes  []plumbing.Hash // ascending
	offsets []uint64        // of hashes
	fan     [256]int        // hashes[:fan[b]] begin with a byte <= b
	order   []int           // indices of hashes by ascending offset
	holders atomic.Int32
}

// Open opens name.pack with name.idx; the caller holds it once. An index that
// does not belong to its pack is Corrupt.
func Open(name string) (*Pack, error) {
	f, err := os.Open(name + ".pack")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "a pack cannot be opened")
	}
	p := &Pack{name: name, file: f}
	p.holders.Store(1)
	if err := p.load(); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pack) load() error {
	corrupt := func(err error) error { return fault.Wrap(fault.Corrupt, err, "the pack %s", p.name) }
	info, err := p.file.Stat()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the pack %s", p.name)
	}
	p.size = info.Size()
	idx, err := os.Open(p.name + ".idx")
	if err != nil {
		return corrupt(err)
	}
	defer idx.Close()
	mem := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(idx).Decode(mem); err != nil {
		return corrupt(err)
	}
	p.sum = plumbing.Hash(mem.PackfileChecksum)
	var head [12]byte
	var tail plumbing.Hash
	if p.size < 12+trailer {
		return corrupt(errors.New("it is cut short"))
	}
	if _, err := p.file.ReadAt(head[:], 0); err != nil {
		return corrupt(err)
	}
	if _, err := p.file.ReadAt(tail[:], p.size-trailer); err != nil {
		return corrupt(err)
	}
	n, _ := mem.Count()
	if string(head[:4]) != "PACK" || int64(binary.BigEndian.Uint32(head[8:])) != n || tail != p.sum {
		return corrupt(errors.New("it is not the pack of its index"))
	}
	it, err := mem.Entries()
	if err != nil {
		return corrupt(err)
	}
	p.hashes, p.offsets = make([]plumbing.Hash, 0, n), make([]uint64, 0, n)
	for {
		e, err := it.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return corrupt(err)
		}
		p.hashes, p.offsets = append(p.hashes, e.Hash), append(p.offsets, e.Offset)
	}
	p.order = make([]int, len(p.hashes))
	for i, h := range p.hashes {
		p.order[i] = i
		p.fan[h[0]] = i + 1
	}
	for b := 1; b < 256; b++ {
		p.fan[b] = max(p.fan[b], p.fan[b-1])
	}
	sort.Slice(p.order, func(a, b int) bool { return p.offsets[p.order[a]] < p.offsets[p.order[b]] })
	return nil
}

// Verify reads the whole pack and compares its checksum: Corrupt when a bit
// changed since it was written. It blocks on the disk until ctx ends.
func (p *Pack) Verify(ctx context.Context) error {
	h := sha1.New()
	buf := make([]byte, 256<<10)
	for at, end := int64(0), p.size-trailer; at < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := p.file.ReadAt(buf[:min(int64(len(buf)), end-at)], at)
		if err != nil {
			return fault.Wrap(fault.Corrupt, err, "the pack %s", p.name)
		}
		h.Write(buf[:n])
		at += int64(n)
	}
	if plumbing.Hash(h.Sum(nil)) != p.sum {
		return fault.New(fault.Corrupt, "the pack %s has other bytes than were written", p.name)
	}
	return nil
}

// Name is the path without suffix.
func (p *Pack) Name() string { return p.name }

// Size of the pack file in bytes.
func (p *Pack) Size() int64 { return p.size }

// Sum is the checksum that the pack ends with.
func (p *Pack) Sum() plumbing.Hash { return p.sum }

// Count is the number of objects.
func (p *Pack) Count() int { return len(p.hashes) }

// Hashes are the objects' names, ascending; not to be changed.
func (p *Pack) Hashes() []plumbing.Hash { return p.hashes }

// Hold adds a holder; Release takes one away and closes with the last.
func (p *Pack) Hold() { p.holders.Add(1) }

// Release lets go of what Open or Hold gave.
func (p *Pack) Release() {
	if p.holders.Add(-1) == 0 {
		p.file.Close()
	}
}

func (p *Pack) find(h plumbing.Hash) (offset int64, ok bool) {
	lo := 0
	if h[0] > 0 {
		lo = p.fan[h[0]-1]
	}
	part := p.hashes[lo:p.fan[h[0]]]
	i := sort.Search(len(part), func(i int) bool { return bytes.Compare(part[i][:], h[:]) >= 0 })
	if i == len(part) || part[i] != h {
		return 0, false
	}
	return int64(p.offsets[lo+i]), true
}

// at is the object that begins at an offset, and where the next one begins.
func (p *Pack) at(offset int64) (h plumbing.Hash, next int64, ok bool) {
	i := sort.Search(len(p.order), func(i int) bool { return int64(p.offsets[p.order[i]]) >= offset })
	if i == len(p.order) || int64(p.offsets[p.order[i]]) != offset {
		return h, 0, false
	}
	next = p.size - trailer
	if i+1 < len(p.order) {
		next = int64(p.offsets[p.order[i+1]])
	}
	return p.hashes[p.order[i]], next, true
}

// raw reads one entry: its header, and its deflated bytes as they lie there.
func (p *Pack) raw(offset int64) (header, []byte, error) {
	_, next, ok := p.at(offset)
	if !ok {
		return header{}, nil, fault.New(fault.Corrupt, "the pack %s has no object at %d", p.name, offset)
	}
	buf := make([]byte, next-offset)
	if _, err := p.file.ReadAt(buf, offset); err != nil {
		return header{}, nil, fault.Wrap(fault.Corrupt, err, "the pack %s at %d", p.name, offset)
	}
	h, err := readHeader(bytes.NewReader(buf))
	if err != nil {
		return header{}, nil, fault.Wrap(fault.Corrupt, err, "the pack %s at %d", p.name, offset)
	}
	return h, buf[h.n:], nil
}

// base is where the base of a delta at offset begins.
func (p *Pack) base(offset int64, h header) (int64, error) {
	if h.kind == plumbing.OFSDeltaObject {
		return offset - h.distance, nil
	}
	at, ok := p.find(h.ref)
	if !ok {
		return 0, fault.New(fault.Corrupt, "the pack %s lacks the base %s", p.name, h.ref)
	}
	return at, nil
}

// inflater undoes compression; it is used again and again, since its window is
// what costs. It is for one goroutine.
type inflater struct {
	in bytes.Reader
	z  io.ReadCloser
}

// inflate gives exactly size bytes, or says that there are more or fewer.
func (x *inflater) inflate(deflated []byte, size int64) ([]byte, error) {
	x.in.Reset(deflated)
	var err error
	if x.z == nil {
		x.z, err = zlib.NewReader(&x.in)
	} else {
		err = x.z.(zlib.Resetter).Reset(&x.in, nil)
	}
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(x.z, out); err != nil {
		return nil, fmt.Errorf("fewer bytes than it claims: %w", err)
	}
	var one [1]byte
	if n, err := io.ReadFull(x.z, one[:]); n != 0 || err != io.EOF {
		return nil, errors.New("more bytes than it claims, or a broken end")
	}
	return out, nil
}

// tooLarge is told before anything has a name: an object of this size is a file.
func tooLarge(size, most int64) error {
	return fault.New(fault.TooLarge, "an object of %d bytes, at most %d are taken", size, most).
		Mend("take the file of this size out of the commits that are pushed; the local config bounds it by git.pack.object")
}

// patch applies a delta whose target size was looked at first.
func patch(base, delta []byte, limit int64) ([]byte, error) {
	_, target, err := deltaSizes(delta)
	if err != nil {
		return nil, err
	}
	if target > limit {
		return nil, tooLarge(target, limit)
	}
	if len(base) == 0 {
		return nil, errors.New("a delta upon nothing")
	}
	out, err := packfile.PatchDelta(base, delta)
	if err != nil {
		return nil, err
	}
	if int64(len(out)) != target {
		return nil, errors.New("a delta that makes another size than it claims")
	}
	return out, nil
}
