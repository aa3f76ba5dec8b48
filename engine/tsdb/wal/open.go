package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// DamageKind says what was wrong with the log.
type DamageKind string

// The kinds of damage. Torn is what a power cut may leave and costs nothing
// that was acknowledged; the others mean that something acknowledged is gone.
const (
	Torn    DamageKind = "torn"    // an unfinished record at the very end was cut off
	Gap     DamageKind = "gap"     // records in the middle cannot be read
	Missing DamageKind = "missing" // a whole segment is not there
	Removed DamageKind = "removed" // a whole segment was taken away, or another put in its place, while it was in use
	Header  DamageKind = "header"  // a segment's first block was bad, its records were good
	Double  DamageKind = "double"  // two segments of one generation
)

// Damage is one thing that was wrong; samples at positions [From, To) are lost.
type Damage struct {
	File     string
	Kind     DamageKind
	Offset   int64
	From, To uint64
}

func (d Damage) String() string {
	return fmt.Sprintf("%s at %s:%d, positions %d to %d", d.Kind, d.File, d.Offset, d.From, d.To)
}

// Open reads what is in the log and hands every record that counts to visit, in
// order; an error of visit ends it. Damage is reported, not an error: what is
// good is kept, and damaged files are set aside once their samples are
// released. The caller must have made sure that nobody else has the log open.
func Open(fs FS, cfg Config, floor Floor, visit func(Record) error) (*Log, []Damage, error) {
	if cfg.SegmentBytes < minSegment || cfg.SegmentBytes > maxSegment || cfg.MaxBytes < 2*cfg.SegmentBytes {
		return nil, nil, fmt.Errorf("segments of %d in a log of %d bytes: want at least %d, and two in the log", cfg.SegmentBytes, cfg.MaxBytes, minSegment)
	}
	if err := fs.MakeDir(cfg.Dir); err != nil {
		return nil, nil, err
	}
	l := &Log{fs: fs, cfg: cfg, slot: 1}
	l.next = head{gen: floor.Generation, baseSeq: floor.Seq, basePos: floor.Position}
	damages, err := l.list(floor)
	if err != nil {
		return nil, nil, err
	}
	ds, err := l.replay(floor, visit)
	if err != nil {
		return nil, nil, err
	}
	if floor.Newest > 0 && (len(l.live) == 0 || l.live[len(l.live)-1].head.gen < floor.Newest) {
		ds = append(ds, Damage{File: cfg.Dir, Kind: Missing, From: l.next.basePos, To: l.next.basePos})
		l.next.gen = max(l.next.gen, floor.Newest)
	}
	return l, append(damages, ds...), nil
}

// list sorts the files into live and free ones.
func (l *Log) list(floor Floor) ([]Damage, error) {
	names, err := l.fs.List(l.cfg.Dir)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var damages []Damage
	for _, name := range names {
		num, ok := strings.CutPrefix(name, segmentGlob)
		slot, err := strconv.Atoi(num)
		if !ok || err != nil {
			continue
		}
		l.slot = max(l.slot, slot+1)
		s, bad, err := l.peek(name)
		if err != nil {
			return nil, err
		}
		if s.head.gen != 0 && s.head.gen >= floor.Generation {
			s.damaged = bad
			l.live = append(l.live, s)
			if bad {
				damages = append(damages, Damage{File: name, Kind: Header})
			}
			continue
		}
		l.next.gen = max(l.next.gen, s.head.gen)
		if s.size != l.cfg.SegmentBytes || len(l.free) >= l.cfg.KeepFree {
			if err := l.fs.Remove(l.path(s)); err != nil {
				return nil, err
			}
			continue
		}
		l.free = append(l.free, s)
	}
	slices.SortStableFunc(l.live, func(a, b *segment) int { return cmp.Compare(a.head.gen, b.head.gen) })
	kept := l.live[:0]
	for _, s := range l.live {
		if n := len(kept); n > 0 && kept[n-1].head.gen == s.head.gen {
			damages = append(damages, Damage{File: s.name, Kind: Double})
			if err := l.setAside(s); err != nil {
				return nil, err
			}
			continue
		}
		kept = append(kept, s)
	}
	l.live = kept
	return damages, nil
}

// peek reads a file's first block, or, where that is bad, what its first record
// says of it.
func (l *Log) peek(name string) (s *segment, bad bool, err error) {
	f, err := l.fs.Open(path.Join(l.cfg.Dir, name), false)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	s = &segment{name: name}
	if s.size, err = f.Size(); err != nil {
		return nil, false, err
	}
	if s.inode, _, err = f.Inode(); err != nil {
		return nil, false, err
	}
	var b [segmentHead + recordHead]byte
	if err := readAt(f, b[:], 0); err != nil {
		return nil, false, err
	}
	var ok bool
	if s.head, ok = parseHead(b[:]); ok {
		return s, false, nil
	}
	gen := le.Uint64(b[segmentHead+offGen:])
	if gen == 0 {
		return s, false, nil
	}
	body := make([]byte, min(max(s.size-segmentHead, 0), l.cfg.MaxBytes))
	if err := readAt(f, body, segmentHead); err != nil {
		return nil, false, err
	}
	if r, _, ok := parseRecord(body, gen); ok {
		s.head = head{gen, r.Seq, r.Position}
		return s, true, nil
	}
	return s, false, nil
}

// readAt fills b as far as the file goes and leaves zeros behind.
func readAt(f File, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	clear(b[n:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// replay walks the live segments, notes where they end, and decides what comes
// next.
func (l *Log) replay(floor Floor, visit func(Record) error) ([]Damage, error) {
	var damages []Damage
	var buf []byte
	for i, s := range l.live {
		limit, last := uint64(1<<64-1), i == len(l.live)-1
		if !last {
			limit = l.live[i+1].head.baseSeq
		}
		switch {
		case i > 0 && s.head.baseSeq > l.next.baseSeq && l.live[i-1].head.gen+1 == s.head.gen:
			p := l.live[i-1]
			p.damaged = true
			damages = append(damages, Damage{File: p.name, Kind: Gap, Offset: p.bytes, From: l.next.basePos, To: s.head.basePos})
		case i > 0 && s.head.baseSeq > l.next.baseSeq, i == 0 && s.head.basePos > floor.Position:
			damages = append(damages, Damage{File: s.name, Kind: Missing, From: l.next.basePos, To: s.head.basePos})
		}
		s.endSeq, s.endPos = s.head.baseSeq, s.head.basePos
		var err error
		if buf, err = l.load(s, buf); err != nil {
			return nil, err
		}
		ds, err := s.walk(buf, limit, last, visit)
		if err != nil {
			return nil, err
		}
		for _, d := range ds {
			s.damaged = s.damaged || d.Kind != Torn
		}
		damages = append(damages, ds...)
		l.next = head{
			gen:     max(l.next.gen, s.head.gen),
			baseSeq: max(l.next.baseSeq, s.endSeq),
			basePos: max(l.next.basePos, s.endPos),
		}
	}
	return damages, nil
}

func (l *Log) load(s *segment, buf []byte) ([]byte, error) {
	f, err := l.fs.Open(l.path(s), false)
	if err != nil {
		return buf, err
	}
	defer f.Close()
	if int64(cap(buf)) < s.size {
		buf = make([]byte, s.size)
	}
	buf = buf[:s.size]
	return buf, readAt(f, buf, 0)
}

// walk visits the records of a segment with sequences below limit and leaves in
// s where they end.
func (s *segment) walk(b []byte, limit uint64, last bool, visit func(Record) error) ([]Damage, error) {
	var damages []Damage
	at := int64(segmentHead)
	s.bytes = at
	for s.endSeq < limit {
		r, size, ok := parseRecord(tail(b, at), s.head.gen)
		if ok && r.Seq != s.endSeq {
			ok = false
		}
		if !ok {
			if at, ok = s.resume(b, at, limit); ok {
				r, size, _ = parseRecord(b[at:], s.head.gen)
				damages = append(damages, Damage{File: s.name, Kind: Gap, Offset: s.bytes, From: s.endPos, To: r.Position})
			}
		}
		if !ok {
			break
		}
		if err := visit(r); err != nil {
			return nil, err
		}
		at += int64(size)
		s.endSeq, s.endPos, s.bytes = r.Seq+1, r.Position+uint64(r.Count), at
	}
	if last && s.begun(b) {
		damages = append(damages, Damage{File: s.name, Kind: Torn, Offset: s.bytes, From: s.endPos, To: s.endPos})
	}
	return damages, nil
}

// begun says whether a record of this generation was begun behind the last good
// one.
func (s *segment) begun(b []byte) bool {
	t := tail(b, s.bytes)
	return len(t) >= recordHead && le.Uint64(t[offGen:]) == s.head.gen
}

// resume looks for a good record of this segment behind a bad place.
func (s *segment) resume(b []byte, at int64, limit uint64) (int64, bool) {
	for at += align; at+recordHead <= int64(len(b)); at += align {
		if le.Uint64(b[at+offGen:]) != s.head.gen {
			continue
		}
		if seq := le.Uint64(b[at+offSeq:]); seq <= s.endSeq || seq >= limit {
			continue
		}
		if _, _, ok := parseRecord(b[at:], s.head.gen); ok {
			return at, true
		}
	}
	return at, false
}

func tail(b []byte, at int64) []byte {
	if at >= int64(len(b)) {
		return nil
	}
	return b[at:]
}

// verify counts the good records of a segment as they now read.
func (l *Log) verify(s *segment) (endSeq uint64, err error) {
	b, err := l.load(s, nil)
	if err != nil {
		return 0, err
	}
	again := &segment{name: s.name, head: s.head, endSeq: s.head.baseSeq, endPos: s.head.basePos}
	if _, err := again.walk(b, s.endSeq, true, func(Record) error { return nil }); err != nil {
		return 0, err
	}
	return again.endSeq, nil
}

// Read hands every record that holds samples at or after position to visit, in
// order. Nothing may be appended or released meanwhile.
func (l *Log) Read(position uint64, visit func(Record) error) error {
	l.mu.Lock()
	live := slices.Clone(l.live)
	l.mu.Unlock()
	var buf []byte
	for _, s := range live {
		if s.endPos <= position {
			continue
		}
		var err error
		if buf, err = l.load(s, buf); err != nil {
			return err
		}
		again := &segment{name: s.name, head: s.head, endSeq: s.head.baseSeq, endPos: s.head.basePos}
		_, err = again.walk(buf, s.endSeq, false, func(r Record) error {
			if r.Position+uint64(r.Count) <= position {
				return nil
			}
			return visit(r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
