package supervise

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// files are the three that a process is started with: nothing to read, and a
// file to write, since a pipe would break with vigild.
func (k *keeper) files() (files []*os.File, closeAll func(), err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Unavailable, err, "process %s", k.name)
	}
	if k.def.Load().Log == "none" {
		return []*os.File{null, null, null}, func() { null.Close() }, nil
	}
	if err := k.trim(); err != nil {
		k.s.deps.Log.Warn("a process log was not shortened", "process", k.name, "err", err)
	}
	// Opening a pipe would wait for its reader.
	if st, err := os.Lstat(k.log()); err == nil && !st.Mode().IsRegular() {
		null.Close()
		return nil, nil, fault.New(fault.Unprocessable, "the log of process %s, %s, is not a regular file", k.name, k.log())
	}
	out, err := os.OpenFile(k.log(), os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		null.Close()
		return nil, nil, fault.Wrap(fault.Unavailable, err, "the log of process %s", k.name)
	}
	if err := alone(out); err != nil {
		null.Close()
		out.Close()
		return nil, nil, fault.Wrap(fault.Forbidden, err, "the log of process %s", k.name)
	}
	return []*os.File{null, out, out}, func() { null.Close(); out.Close() }, nil
}

// alone refuses a file with a second name: who may write the folder of the log
// could make the log a name of a file that only vigild may write.
func alone(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
		return fault.New(fault.Forbidden, "%s is not a file with one name", f.Name()).Mend("remove it")
	}
	return nil
}

func (k *keeper) log() string {
	if k.def.Load().Log == "" {
		return k.s.path(k.name + ".log")
	}
	return k.def.Load().Log
}

// trim keeps the younger half of a log that has grown too long. The process
// goes on appending to the same file; lines written in that moment may be lost.
func (k *keeper) trim() error {
	if k.def.Load().Log == "none" {
		return nil
	}
	limit := k.def.Load().LogMax
	if limit == 0 {
		limit = 8 << 20
	}
	f, err := os.OpenFile(k.log(), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() <= limit {
		return err
	}
	if err := alone(f); err != nil {
		return err
	}
	half, err := io.ReadAll(io.NewSectionReader(f, st.Size()-limit/2, limit/2))
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(half, 0)
	return err
}

// Tail is the end of a process's log, at most n bytes, from a line's beginning
// where there is one. NotFound: no such process, or it keeps no log.
func (s *Supervisor) Tail(name string, n int) ([]byte, error) {
	k := s.keeper(name)
	if k == nil || k.def.Load().Log == "none" {
		return nil, fault.New(fault.NotFound, "there is no log of a process %q", name)
	}
	f, err := os.OpenFile(k.log(), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the log of process %s", name)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the log of process %s", name)
	}
	from := max(st.Size()-int64(n), 0)
	b, err := io.ReadAll(io.NewSectionReader(f, from, int64(n)))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the log of process %s", name)
	}
	if i := bytes.IndexByte(b, '\n'); from > 0 && i >= 0 {
		b = b[i+1:]
	}
	return b, nil
}
