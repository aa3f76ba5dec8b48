package paths

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Run tells of changes until ctx ends; it returns nil then, and has closed and
// ended everything it began. Where the kernel gives no events, it says so once
// in the log and tries again at each sweep. Each time it begins to listen it
// tells that all may have changed.
func (s *Spots) Run(ctx context.Context) error {
	sweep := time.NewTicker(s.cfg.Sweep)
	defer sweep.Stop()
	said := false
	for {
		f, err := s.open()
		if err == nil {
			err = s.listen(ctx, f, sweep.C)
		}
		if ctx.Err() != nil {
			return nil
		}
		if !said {
			said = true
			s.deps.Log.Warn("no file events for now: changes are found by rounds alone", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
		}
	}
}

// open begins to listen, with every folder watched.
func (s *Spots) open() (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the kernel gives no file events: %v", err).Mend("raise fs.inotify.max_user_instances")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fd = fd
	s.cover(s.root, false)
	s.say()
	s.everything()
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// listen reads what open began until ctx ends or reading fails.
func (s *Spots) listen(ctx context.Context, f *os.File, sweep <-chan time.Time) error {
	ended := make(chan error, 1)
	inner, stop := context.WithCancel(ctx)
	go func() { ended <- s.read(inner, f) }()
	defer func() {
		stop()
		s.mu.Lock()
		s.fd = -1 // before it is closed: the number may be another file's then
		s.uncover(s.root)
		s.mu.Unlock()
		f.Close()
		<-ended
	}()
	now := make(chan struct{})
	close(now)
	var rest []*node // what the sweep that goes on has not looked at
	for {
		s.tell()
		once := now
		if len(rest) == 0 {
			once = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended <- nil
			return err
		case <-s.wake:
		case <-sweep:
			if len(rest) == 0 {
				rest = s.folders()
			}
		case <-once:
			rest = s.check(rest)
		}
	}
}

// burst is how many readings may follow each other at once.
const burst = 64

// longest bounds the rest that a costly reading earns.
const longest = time.Second

// read takes events in until f is closed. A first event is taken at once; in a
// stream there is a rest between two readings, so that a neighbour's busy file
// costs little, and a longer one after a costly reading: never more than a fifth of a core.
func (s *Spots) read(ctx context.Context, f *os.File) error {
	buf := make([]byte, 64<<10)
	credit, last := float64(burst), time.Now()
	for {
		n, err := f.Read(buf)
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "the kernel's file events cannot be read")
		}
		began := time.Now()
		credit = min(burst, credit+float64(began.Sub(last))/float64(s.cfg.Rest))
		last = began
		s.take(buf[:n])
		s.nudge()
		rest := min(4*time.Since(began), longest)
		if credit--; credit < 0 {
			rest = max(rest, s.cfg.Rest)
		}
		if rest < s.cfg.Rest {
			continue
		}
		t := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// take understands one reading, see inotify(7), and notes what it means.
func (s *Spots) take(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stale []*node
	replaced := func(n *node) {
		if !n.stale {
			n.stale = true
			stale = append(stale, n)
		}
	}
	lost := false
	for len(b) >= unix.SizeofInotifyEvent {
		wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		if size > len(b) {
			break
		}
		name := b[unix.SizeofInotifyEvent:size]
		b = b[size:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		s.stats.Events++
		if mask&unix.IN_Q_OVERFLOW != 0 {
			lost = true
			continue
		}
		for _, n := range s.wds[wd] {
			switch {
			case len(name) > 0:
				s.named(n, n.kids[string(name)], mask, replaced)
			case mask&unix.IN_ATTRIB != 0:
				s.mark(n)
			default: // removed, moved away, unmounted
				replaced(n)
			}
		}
		if mask&unix.IN_IGNORED != 0 { // the kernel has ended this watch
			for _, n := range s.wds[wd] {
				n.wd = -1
			}
			delete(s.wds, wd)
		}
	}
	if lost {
		s.stats.Lost++
		s.everything()
		replaced(s.root)
	}
	for _, n := range stale {
		n.stale = false
		if s.fd >= 0 {
			s.cover(n, false)
		}
		s.below(n)
	}
	s.say()
}

// named is an event about a name in a folder, which may be a child in the tree.
func (s *Spots) named(n, kid *node, mask uint32, replaced func(*node)) {
	if mask&ofNames != 0 && n.inside {
		s.mark(n)
	}
	if kid == nil {
		return
	}
	s.mark(kid)
	if mask&ofNames != 0 && kid.folder() {
		replaced(kid)
	}
}
