package pack

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	githash "github.com/go-git/go-git/v5/plumbing/hash"

	"vigil/engine/fault"
)

// held bounds the bytes of bases that wait for their deltas to be applied.
const held = 48 << 20

// padding is how many deflated bytes an object may have beside twice its size:
// deflate can say nothing at any length.
const padding = 4096

func newSum() hash.Hash { return githash.New(crypto.SHA1) }

// item is one entry of a pack that is being indexed.
type item struct {
	offset int64
	kind   plumbing.ObjectType
	name   plumbing.Hash
	known  bool // name is
}

type indexer struct {
	ctx   context.Context
	caps  Caps
	file  *os.File
	size  int64
	items []item
	total int64 // inflated so far

	inflate inflater

	byOffset map[int][]int           // base to deltas
	byName   map[plumbing.Hash][]int // base to deltas
	names    map[plumbing.Hash]struct{}
}

// Index reads the pack in name.pack under the caps and writes name.idx beside
// it, unsynced. It says Invalid for what is no sound pack, TooLarge for what is
// over a cap. It blocks on the disk; ctx ends it between two objects.
func Index(ctx context.Context, name string, caps Caps) (objects int, err error) {
	f, err := os.Open(name + ".pack")
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the pack cannot be opened")
	}
	defer f.Close()
	x := &indexer{ctx: ctx, caps: caps, file: f, byOffset: map[int][]int{}, byName: map[plumbing.Hash][]int{}, names: map[plumbing.Hash]struct{}{}}
	if err := x.scan(); err != nil {
		return 0, refuse(err)
	}
	if err := x.resolve(); err != nil {
		return 0, refuse(err)
	}
	if err := x.write(name + ".idx"); err != nil {
		return 0, refuse(err)
	}
	return len(x.items), nil
}

// refuse gives an error of unknown kind the kind Invalid.
func refuse(err error) error {
	var is *fault.Error
	if errors.As(err, &is) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Wrap(fault.Invalid, err, "this is no sound pack")
}

// counted counts what the inflater takes, which takes no byte too many from a
// reader that gives single bytes.
type counted struct {
	r *bufio.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counted) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func (x *indexer) scan() error {
	info, err := x.file.Stat()
	if err != nil {
		return err
	}
	if x.size = info.Size(); x.size > x.caps.Bytes {
		return fault.New(fault.TooLarge, "a pack of %d bytes, at most %d are taken", x.size, x.caps.Bytes)
	}
	r := &counted{r: bufio.NewReaderSize(x.file, 64<<10)}
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("it ends within its header: %w", err)
	}
	if string(head[:4]) != "PACK" || binary.BigEndian.Uint32(head[4:]) != 2 {
		return errors.New("it does not begin as a pack of version 2 does")
	}
	n := binary.BigEndian.Uint32(head[8:])
	if int64(n) > int64(x.caps.Objects) {
		return fault.New(fault.TooLarge, "a pack of %d objects, at most %d are taken", n, x.caps.Objects)
	}
	var z io.ReadCloser
	body := make([]byte, 32<<10)
	for i := range int(n) {
		if i%256 == 0 && x.ctx.Err() != nil {
			return x.ctx.Err()
		}
		it := item{offset: r.n}
		h, err := readHeader(r)
		if err != nil {
			return fmt.Errorf("object %d of %d: %w", i, n, err)
		}
		it.kind = h.kind
		if err := x.spend(h.size); err != nil {
			return err
		}
		began := r.n
		if z == nil {
			z, err = zlib.NewReader(r)
		} else {
			err = z.(zlib.Resetter).Reset(r, nil)
		}
		if err != nil {
			return fmt.Errorf("object %d of %d: %w", i, n, err)
		}
		sum := newSum()
		if !h.delta() {
			fmt.Fprintf(sum, "%s %d\x00", h.kind, h.size)
		}
		first, err := pour(sum, z, h.size, body)
		if err != nil {
			return fmt.Errorf("object %d of %d: %w", i, n, err)
		}
		if r.n-began > 2*h.size+padding { // it is read whole into memory later
			return fmt.Errorf("object %d of %d: %d bytes stand for %d", i, n, r.n-began, h.size)
		}
		switch h.kind {
		case plumbing.OFSDeltaObject:
			base, ok := x.before(it.offset - h.distance)
			if !ok {
				return fmt.Errorf("object %d of %d: a delta whose base does not begin where it says", i, n)
			}
			x.byOffset[base] = append(x.byOffset[base], i)
		case plumbing.REFDeltaObject:
			x.byName[h.ref] = append(x.byName[h.ref], i)
		default:
			copy(it.name[:], sum.Sum(nil))
			it.known = true
			if err := x.take(it.name); err != nil {
				return err
			}
		}
		if h.delta() {
			_, target, err := deltaSizes(first)
			if err != nil {
				return fmt.Errorf("object %d of %d: %w", i, n, err)
			}
			if err := x.spend(target); err != nil {
				return err
			}
		}
		x.items = append(x.items, it)
	}
	if r.n+trailer != x.size {
		return fmt.Errorf("%d bytes stand where the 20 of the trailer should", x.size-r.n)
	}
	return nil
}

// spend counts inflated bytes against the caps, before they are inflated.
func (x *indexer) spend(size int64) error {
	if size > x.caps.Object {
		return tooLarge(size, x.caps.Object)
	}
	if x.total += size; x.total > x.caps.Inflated {
		return fault.New(fault.TooLarge, "a pack that inflates to over %d bytes", x.caps.Inflated)
	}
	return nil
}

func (x *indexer) take(name plumbing.Hash) error {
	if _, twice := x.names[name]; twice {
		return fmt.Errorf("the object %s twice", name)
	}
	x.names[name] = struct{}{}
	return nil
}

// before finds the entry that begins at an offset.
func (x *indexer) before(offset int64) (int, bool) {
	i := sort.Search(len(x.items), func(i int) bool { return x.items[i].offset >= offset })
	return i, i < len(x.items) && x.items[i].offset == offset
}

// pour reads exactly size bytes and the end; it returns the first few, which
// stay valid until the buffer is used again.
func pour(w io.Writer, z io.Reader, size int64, buf []byte) (first []byte, err error) {
	keep := make([]byte, 0, 20)
	left := size
	for {
		n, err := z.Read(buf[:min(int64(len(buf)), left+1)])
		if int64(n) > left {
			return nil, errors.New("more bytes than it claims")
		}
		left -= int64(n)
		w.Write(buf[:n])
		if len(keep) < cap(keep) {
			keep = append(keep, buf[:min(n, cap(keep)-len(keep))]...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if left != 0 {
		return nil, errors.New("fewer bytes than it claims")
	}
	return keep, nil
}

// write makes the index: names in order, and the checksums of what lies there.
func (x *indexer) write(path string) error {
	w := new(idxfile.Writer)
	if err := w.OnHeader(uint32(len(x.items))); err != nil {
		return err
	}
	if _, err := x.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(x.file, 256<<10)
	sum := newSum()
	if _, err := io.CopyN(sum, r, 12); err != nil {
		return err
	}
	for i, it := range x.items {
		end := x.size - trailer
		if i+1 < len(x.items) {
			end = x.items[i+1].offset
		}
		crc := crc32.NewIEEE()
		if _, err := io.CopyN(io.MultiWriter(sum, crc), r, end-it.offset); err != nil {
			return err
		}
		w.Add(it.name, uint64(it.offset), crc.Sum32())
	}
	var want, got plumbing.Hash
	if _, err := io.ReadFull(r, want[:]); err != nil {
		return err
	}
	if copy(got[:], sum.Sum(nil)); got != want {
		return errors.New("its checksum is wrong")
	}
	if err := w.OnFooter(want); err != nil {
		return err
	}
	idx, err := w.Index()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the index cannot be written")
	}
	out := bufio.NewWriter(f)
	_, err = idxfile.NewEncoder(out).Encode(idx)
	err = errors.Join(err, out.Flush(), f.Close())
	return fault.Wrap(fault.Unavailable, err, "the index cannot be written")
}
