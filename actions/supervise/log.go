package supervise

import (
	"cmp"
	"os"

	"vigil/actions/supervise/logfile"
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
	out, err := k.log().Append()
	if err != nil {
		null.Close()
		return nil, nil, fault.Wrap(fault.KindOf(err), err, "the log of process %s", k.name)
	}
	return []*os.File{null, out, out}, func() { null.Close(); out.Close() }, nil
}

func (k *keeper) log() logfile.File {
	if at := k.def.Load().Log; at != "" {
		return logfile.File{Path: at}
	}
	return logfile.File{Path: k.s.path(k.name + ".log"), Ours: true}
}

// trim keeps the younger half of a log that has grown too long.
func (k *keeper) trim() error {
	d := k.def.Load()
	if d.Log == "none" {
		return nil
	}
	return k.log().Shorten(cmp.Or(d.LogMax, 8<<20))
}

// Tail is the end of a process's log, at most n bytes, from a line's beginning
// where there is one. NotFound: no such process, or it keeps no log.
func (s *Supervisor) Tail(name string, n int) ([]byte, error) {
	k := s.keeper(name)
	if k == nil || k.def.Load().Log == "none" {
		return nil, fault.New(fault.NotFound, "there is no log of a process %q", name)
	}
	b, err := k.log().Tail(n)
	return b, fault.Wrap(fault.NotFound, err, "the log of process %s", name)
}
