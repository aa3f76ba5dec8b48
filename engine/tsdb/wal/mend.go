package wal

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// errRemoved is why a log fails whose files are not where they were.
var errRemoved = errors.New("the file was removed or another put in its place while it was in use")

// fail closes the handle for good.
func (l *Log) fail(verb string, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fmt.Errorf("%s %s: %w", verb, l.path(l.cur), err)
	l.stats.Failures++
	l.drop()
	return l.fault
}

// drop lets go of the current segment's handle. The lock is held.
func (l *Log) drop() {
	if l.file != nil {
		_ = l.file.Close() // the error that counts is already in hand
	}
	l.file, l.cur = nil, nil
}

// Fault is why the log cannot be written to, nil when it can.
func (l *Log) Fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// Check looks whether every live segment still lies where it was opened. Where one
// does not the log has failed, and Repair says what is gone. Beside Append, at any
// time.
func (l *Log) Check() error {
	l.mu.Lock()
	live := slices.Clone(l.live)
	for i, s := range live {
		now := *s
		live[i] = &now
	}
	l.mu.Unlock()
	for _, s := range live {
		switch gone, err := l.gone(s); {
		case err != nil:
			return err
		case !gone:
			continue
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.IndexFunc(l.live, func(now *segment) bool { return now.head.gen == s.head.gen })
		if i >= 0 && l.fault == nil { // not released meanwhile
			l.fault = fmt.Errorf("keep %s: %w", l.path(s), errRemoved)
			l.stats.Failures++
		}
		return nil
	}
	return nil
}

// gone says whether a segment's name leads elsewhere, or nowhere.
func (l *Log) gone(s *segment) (bool, error) {
	id, err := l.fs.Inode(l.path(s))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) { // the second: a file lies where the folder was
		return true, nil
	}
	return err == nil && id != s.inode, err
}

// forget leaves out of the log the segments that are not where they were: what they
// held is in memory alone until the owner has put it elsewhere.
func (l *Log) forget() (damages []Damage, err error) {
	kept := make([]*segment, 0, len(l.live))
	for _, s := range l.live {
		gone, err := l.gone(s)
		if err != nil {
			return nil, err
		}
		if gone {
			damages = append(damages, Damage{File: s.name, Kind: Removed, From: s.head.basePos, To: s.endPos})
			continue
		}
		kept = append(kept, s)
	}
	l.live = kept
	return damages, nil
}

// Repair makes a failed log usable again: it reads back through a new handle
// everything that was acknowledged in the segment that was current, and leaves that
// segment alone from then on; what is not where it was is left out. Nil when there
// was nothing to mend. The same goroutine as Append.
func (l *Log) Repair() ([]Damage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		return nil, nil
	}
	l.drop()
	damages, err := l.forget()
	if err != nil {
		return nil, err
	}
	if n := len(l.live); n > 0 {
		s := l.live[n-1]
		seq, err := l.verify(s)
		if err != nil {
			return damages, err
		}
		if seq != s.endSeq {
			s.damaged = true
			damages = append(damages, Damage{File: s.name, Kind: Gap, Offset: s.bytes, From: s.head.basePos, To: s.endPos})
		}
	}
	l.fault = nil
	return damages, nil
}
