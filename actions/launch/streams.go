package launch

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// input is a file that holds b and lies in memory: a program that never reads
// it blocks nobody, and no goroutine has to feed it.
func input(b []byte) (*os.File, error) {
	if len(b) == 0 {
		return os.Open(os.DevNull)
	}
	fd, err := unix.MemfdCreate("vigil-stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "stdin")
	if _, err := f.WriteAt(b, 0); err != nil { // its reader begins at 0
		f.Close()
		return nil, err
	}
	return f, nil
}

// sinks are the pipes a program writes to and what is kept of them.
type sinks struct {
	read, write []*os.File
	kept        []*ends
	busy        sync.WaitGroup
}

func newSinks(p Program) (*sinks, error) {
	n := 1
	if p.Separate {
		n = 2
	}
	s := &sinks{}
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			s.close()
			return nil, err
		}
		s.read, s.write = append(s.read, r), append(s.write, w)
		s.kept = append(s.kept, newEnds(p.Output))
	}
	return s, nil
}

// drain lets go of our copies of the writing ends and begins to read.
func (s *sinks) drain() {
	for _, w := range s.write {
		_ = w.Close()
	}
	for i, r := range s.read {
		s.busy.Go(func() { drain(s.kept[i], r) })
	}
}

// afterglow is how long output is still awaited when the program has ended but
// something it left running holds the pipe.
const afterglow = 100 * time.Millisecond

func (s *sinks) finish(o *Outcome, p Program) {
	for _, r := range s.read {
		_ = r.SetReadDeadline(time.Now().Add(afterglow))
	}
	s.busy.Wait()
	o.Output = s.kept[0].text(p.Output)
	if len(s.kept) > 1 {
		o.Stderr = s.kept[1].text(p.Output)
	}
}

// close ends the readers, whatever state they are in.
func (s *sinks) close() {
	for _, f := range s.write {
		_ = f.Close()
	}
	for _, f := range s.read {
		_ = f.Close()
	}
	s.busy.Wait()
}
