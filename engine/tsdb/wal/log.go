package wal

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// Config is what a log is made of.
type Config struct {
	Dir          string
	Quarantine   string // where damaged segments go once they are released
	SegmentBytes int64  // one record must fit
	MaxBytes     int64  // live segments beyond this are refused: ErrFull
	KeepFree     int    // recycled segments kept for use; more are removed
}

// Floor is what the owner has elsewhere: segments before Generation are dead,
// samples before Position are not needed from the log, the next record is Seq or
// later, and a segment of generation Newest held records. Zero knows of nothing.
type Floor struct{ Generation, Position, Seq, Newest uint64 }

// ErrFull says that the log holds MaxBytes of what nobody has released.
var ErrFull = errors.New("the sample log is full")

// ErrTooLarge says that a record would not fit into a segment.
var ErrTooLarge = errors.New("the record does not fit into a log segment")

// ErrBroken says that a write or a sync failed before: see Repair.
var ErrBroken = errors.New("the sample log's handle has failed")

// Stats is what the log counts.
type Stats struct {
	Live, Free   int    // segments
	LiveBytes    int64  // of live segments, whole
	Syncs        uint64 // successful ones
	BytesWritten uint64 // in whole 4 KiB pages, zero-filling included
	Failures     uint64
}

// Log is the log. See the package comment for who may call what.
type Log struct {
	fs  FS
	cfg Config

	mu    sync.Mutex
	live  []*segment // oldest first; the last one is cur while cur is set
	free  []*segment
	cur   *segment
	file  File
	at    int64 // where the next record goes in cur
	next  head  // generation, sequence and position that come next
	slot  int   // number in the next new file's name
	fault error
	stats Stats

	buf []byte // Append's own, as are file, at and next between two locks
}

// segment is one file.
type segment struct {
	name    string
	size    int64
	inode   Inode
	head    head
	endSeq  uint64 // sequence after its last good record
	endPos  uint64 // position after its last good record
	bytes   int64  // up to the end of its last good record
	damaged bool
}

func (l *Log) path(s *segment) string { return path.Join(l.cfg.Dir, s.name) }

// Append writes one record of the given parts and, with sync, makes it durable.
// It returns the position of the record's first sample. After an error nothing
// of the record counts, and only Repair makes the log usable again (ErrFull and
// ErrTooLarge excepted: they change nothing). One goroutine.
func (l *Log) Append(r Record, parts [][]byte, sync bool) (uint64, error) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	size := int64(Size(n))
	if size > l.cfg.SegmentBytes-segmentHead {
		return 0, ErrTooLarge
	}
	from, head, err := l.place(size)
	if err != nil {
		return 0, err
	}
	l.buf = l.buf[:0]
	if from == 0 {
		l.buf = appendHead(l.buf, head)
	}
	r.Seq, r.Position = l.next.baseSeq, l.next.basePos
	l.buf = appendRecord(l.buf, head.gen, r, parts)
	if _, err := l.file.WriteAt(l.buf, from); err != nil {
		return 0, l.fail("write", err)
	}
	if sync {
		if err := l.flush(); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if sync {
		l.stats.Syncs++
	}
	l.stats.BytesWritten += pages(from, len(l.buf))
	l.at = from + int64(len(l.buf))
	l.next.baseSeq++
	l.next.basePos += uint64(r.Count)
	l.cur.endSeq, l.cur.endPos, l.cur.bytes = l.next.baseSeq, l.next.basePos, l.at
	return r.Position, nil
}

// place finds where the next record goes: an offset in the current segment, or
// 0 in a fresh one, whose head must then be written first.
func (l *Log) place(size int64) (int64, head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return 0, head{}, fmt.Errorf("%w: %w", ErrBroken, l.fault)
	}
	if l.cur == nil || l.at+size > l.cur.size {
		if err := l.rotate(); err != nil {
			return 0, head{}, err
		}
	}
	return l.at, l.cur.head, nil
}

// Sync makes durable what Append wrote without. The same goroutine as Append.
func (l *Log) Sync() error {
	if err := l.Fault(); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if l.file == nil {
		return nil
	}
	if err := l.flush(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Syncs++
	return nil
}

// flush makes durable what was written, in a file that the next start will find.
func (l *Log) flush() error {
	if err := l.file.Sync(); err != nil {
		return l.fail("sync", err)
	}
	switch _, named, err := l.file.Inode(); {
	case err != nil:
		return l.fail("look at", err)
	case !named:
		return l.fail("keep", errRemoved)
	}
	return nil
}

// pages is how many bytes reach the disk for a write of n bytes at off.
func pages(off int64, n int) uint64 {
	const page = 4096
	return uint64((off+int64(n)+page-1)/page-off/page) * page
}

// rotate makes a fresh segment the current one. Nothing is written to it yet:
// its head goes out with its first record.
func (l *Log) rotate() error {
	if int64(len(l.live)+1)*l.cfg.SegmentBytes > l.cfg.MaxBytes {
		return ErrFull
	}
	s, f, err := l.fresh()
	if err != nil {
		l.stats.Failures++
		return err
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			l.file = nil
			return errors.Join(err, f.Close())
		}
	}
	l.free = l.free[:len(l.free)-1]
	l.next.gen++
	*s = segment{
		name: s.name, size: s.size, inode: s.inode, head: l.next,
		endSeq: l.next.baseSeq, endPos: l.next.basePos,
	}
	l.live = append(l.live, s)
	l.cur, l.file, l.at = s, f, 0
	return nil
}

// fresh opens the last of the free segments, a new one if there is none. Spares
// that somebody has taken away, or put another file in place of, are forgotten.
func (l *Log) fresh() (*segment, File, error) {
	for {
		if len(l.free) == 0 {
			s, err := l.create(l.slot)
			if err != nil {
				return nil, nil, err
			}
			l.slot++
			l.free = append(l.free, s)
		}
		s := l.free[len(l.free)-1]
		f, err := l.fs.Open(l.path(s), false)
		if errors.Is(err, os.ErrNotExist) {
			l.free = l.free[:len(l.free)-1]
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		id, _, err := f.Inode()
		if err == nil && id == s.inode {
			return s, f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
		l.free = l.free[:len(l.free)-1]
	}
}

// create makes a new file full of zeros and durable in its directory, which it
// makes anew where somebody has taken it away.
func (l *Log) create(slot int) (*segment, error) {
	s := &segment{name: fmt.Sprintf("%s%06d", segmentGlob, slot), size: l.cfg.SegmentBytes}
	f, err := l.fs.Open(l.path(s), true)
	if errors.Is(err, os.ErrNotExist) {
		if err = l.fs.MakeDir(l.cfg.Dir); err == nil {
			f, err = l.fs.Open(l.path(s), true)
		}
	}
	if err != nil {
		return nil, err
	}
	s.inode, _, err = f.Inode()
	for at := int64(0); at < s.size && err == nil; at += zeroFillStep {
		_, err = f.WriteAt(zeros[:min(zeroFillStep, s.size-at)], at)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = l.fs.SyncDir(l.cfg.Dir)
	}
	if err != nil {
		// A half-made file would only take the room that is missing.
		return nil, errors.Join(err, l.fs.Remove(l.path(s)))
	}
	l.stats.BytesWritten += uint64(s.size)
	return s, nil
}

// Prepare sees to it that a recycled or new segment waits for the next
// rotation, so that no commit waits for zeros. Beside Append, one at a time.
func (l *Log) Prepare() error {
	l.mu.Lock()
	if len(l.free) > 0 || l.fault != nil || int64(len(l.live)+1)*l.cfg.SegmentBytes > l.cfg.MaxBytes {
		l.mu.Unlock()
		return nil
	}
	slot := l.slot
	l.slot++
	l.mu.Unlock()
	side := Log{fs: l.fs, cfg: l.cfg}
	s, err := side.create(slot)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.stats.Failures++
		return err
	}
	l.stats.BytesWritten += side.stats.BytesWritten
	l.free = append(l.free, s)
	return nil
}

// Keeps is the generation of the oldest segment that is still needed when all
// samples before position and all records before seq are not: write it down
// durably, then call Release with it.
func (l *Log) Keeps(position, seq uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.live {
		if s == l.cur || s.endPos > position || s.endSeq > seq {
			return s.head.gen
		}
	}
	return l.next.gen + 1
}

// Newest is the generation of the newest segment that holds a record, 0 when
// there is none.
func (l *Log) Newest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.live) - 1; i >= 0; i-- {
		if s := l.live[i]; s.endSeq > s.head.baseSeq {
			return s.head.gen
		}
	}
	return 0
}

// Release gives back the segments of generations before keep, which is what the
// owner wrote down of Keeps. Beside Append.
func (l *Log) Release(keep uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for len(l.live) > 0 {
		s := l.live[0]
		if s == l.cur || s.head.gen >= keep {
			break
		}
		l.live = l.live[1:]
		switch {
		case s.damaged:
			errs = append(errs, l.setAside(s))
		case s.size != l.cfg.SegmentBytes || len(l.free) >= l.cfg.KeepFree:
			if err := l.fs.Remove(l.path(s)); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		default:
			l.free = append(l.free, s)
		}
	}
	l.live = slices.Clip(l.live)
	return errors.Join(errs...)
}

func (l *Log) setAside(s *segment) error {
	if err := l.fs.MakeDir(l.cfg.Quarantine); err != nil {
		return err
	}
	to := path.Join(l.cfg.Quarantine, fmt.Sprintf("%s.generation-%d", s.name, s.head.gen))
	if err := l.fs.Rename(l.path(s), to); err != nil {
		return err
	}
	return errors.Join(l.fs.SyncDir(l.cfg.Quarantine), l.fs.SyncDir(l.cfg.Dir))
}

// Position is that of the next sample.
func (l *Log) Position() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next.basePos
}

// Seq is the number of the next record.
func (l *Log) Seq() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next.baseSeq
}

// Spares is how many segments wait to be used.
func (l *Log) Spares() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.free)
}

// Behind is how many bytes of segments hold samples from position on.
func (l *Log) Behind(position uint64) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.live) - 1; i >= 0 && l.live[i].endPos > position; i-- {
		n += l.live[i].size
	}
	return n
}

// Stats may be called at any time.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Live, s.Free = len(l.live), len(l.free)
	for _, seg := range l.live {
		s.LiveBytes += seg.size
	}
	return s
}

// Close closes the current file. What Append returned for stays durable.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.cur = nil, nil
	return err
}

// Advance lets positions go on from position, if they have not come that far:
// the owner has seen later ones than the log still knows of. Before any Append.
func (l *Log) Advance(position uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next.basePos = max(l.next.basePos, position)
}

// SetAside moves every segment of a log that nobody has open into its
// quarantine, so that a restored store does not mix its samples with them.
func SetAside(fs FS, cfg Config) error {
	names, err := fs.List(cfg.Dir)
	if err != nil {
		return err
	}
	l := &Log{fs: fs, cfg: cfg}
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, segmentGlob) {
			s, _, err := l.peek(name)
			if err != nil {
				return err
			}
			errs = append(errs, l.setAside(s))
		}
	}
	return errors.Join(errs...)
}
