package disk

import (
	"os"
	"sync/atomic"
	"time"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

type counters struct {
	commits, jobs, failures, reopened, ballast, checkpoints atomic.Uint64
	logPages, donePages, written                            atomic.Int64
	lastCheckpoint                                          atomic.Int64
}

// Stats is the file seen from outside.
type Stats struct {
	Commits, Jobs  uint64 // transactions made durable, and what they held
	Failures       uint64 // transactions that could not be written
	Reopened       uint64 // writers thrown away after a failure
	BytesWritten   int64  // to the log and, by checkpoints, to the file
	Checkpoints    uint64
	LastCheckpoint int64 // Unix µs
	LogBytes       int64 // of the write-ahead log in use
	FileBytes      int64
	BallastThere   bool
	BallastSpent   uint64 // times it was given up
	Quarantined    []string
}

// Stats may be called at any time; it looks at the directory.
func (f *File) Stats() Stats {
	s := &f.stats
	return Stats{
		Commits: s.commits.Load(), Jobs: s.jobs.Load(), Failures: s.failures.Load(), Reopened: s.reopened.Load(),
		BytesWritten: s.written.Load(), Checkpoints: s.checkpoints.Load(), LastCheckpoint: s.lastCheckpoint.Load(),
		LogBytes: s.logPages.Load() * pageSize, FileBytes: fileSize(f.Path()),
		BallastThere: f.cfg.Ballast > 0 && !f.ballast.isSpent(), BallastSpent: s.ballast.Load(),
		Quarantined: quarantined(f.cfg.Dir, f.cfg.Name),
	}
}

// Trouble says what a person should look at: a file that somebody took away
// under us, so that what is written now ends with this process, and a disk that
// has no room for the ballast. It looks at the directory.
func (f *File) Trouble() (out []string) {
	if fi, err := os.Stat(f.Path()); err != nil || f.opened != nil && !os.SameFile(fi, f.opened) {
		out = append(out, f.Path()+" was removed or replaced while vigild uses it: what is decided now is lost when vigild stops")
	}
	if f.cfg.Ballast > 0 && f.ballast.isSpent() {
		out = append(out, "the disk is full: there is no room for the ledger's ballast")
	}
	return out
}

// lookEvery is how many commits, and lookBytes how much in them, may pass until the
// log is looked at again: looking takes a tenth of a small commit.
const (
	lookEvery = 16
	lookBytes = 256 << 10
)

// watch measures the log when enough was written since it last did. use is held.
func (f *File) watch() {
	if f.unseen++; f.unseen >= lookEvery || f.c.Written() >= f.seen+lookBytes {
		f.unseen, f.seen = 0, f.c.Written()
		f.measure()
	}
}

// measure looks at the log after a commit, wakes Run beyond the soft bound and
// makes the checkpoint itself beyond the hard one. use is held.
func (f *File) measure() {
	pages, done, _, err := f.c.Checkpoint("NOOP", conn.Patient)
	if err != nil {
		return // only a look; the next commit looks again
	}
	was := f.stats.logPages.Swap(pages)
	f.stats.donePages.Store(done)
	if pages < was {
		was = 0 // the log began again
	}
	f.stats.written.Add((pages - was) * (pageSize + 24))
	switch behind := pages - done; {
	case pages > max(f.hard(), f.later):
		// The log starts again once no reader needs its end. Readers are short, but
		// for a snapshot: then it is left to grow a little before the next try.
		f.later = 0
		if f.checkpoint("RESTART", 200*time.Millisecond) {
			f.later = pages + int64(f.cfg.LogPages)/4
		}
	case behind > int64(f.cfg.LogPages):
		select {
		case f.nudge <- struct{}{}:
		default:
		}
	}
}

// hard is where the writer itself must empty the log: 10 MiB by default.
func (f *File) hard() int64 { return int64(f.cfg.LogPages) * 5 / 2 }

// tidy is Run's checkpoint, between two commits.
func (f *File) tidy() {
	if f.stats.logPages.Load()-f.stats.donePages.Load() <= int64(f.cfg.LogPages) {
		return
	}
	f.use.Lock()
	defer f.use.Unlock()
	if !f.shut && f.connect() == nil {
		f.checkpoint("PASSIVE", conn.Patient)
	}
}

// tellEvery is how often a checkpoint that fails again and again is told.
const tellEvery = 10 * time.Second

// checkpoint reports nothing to a caller: it is tried again, and what it failed
// to move is still in the log; busy says that a reader stood in the way. use is held.
func (f *File) checkpoint(mode string, patience time.Duration) (busy bool) {
	before := f.stats.donePages.Load()
	pages, done, busy, err := f.c.Checkpoint(mode, patience)
	if err != nil {
		// On a full disk every commit tries, and fails: that is told now and then.
		if now := f.deps.Clock(); f.told.IsZero() || now.Reached(f.told.Add(tellEvery)) || f.told.BootID != now.BootID {
			f.told = now
			f.deps.Log.Warn("a checkpoint of the ledger failed", "error", err)
		}
		if fault.KindOf(err) == fault.Corrupt {
			f.suspect(err)
		}
		if conn.Broken(err) && !conn.Full(err) {
			f.disconnect()
		}
		return false
	}
	f.stats.logPages.Store(pages)
	f.stats.donePages.Store(done)
	f.stats.checkpoints.Add(1)
	f.stats.lastCheckpoint.Store(f.deps.Clock().Wall)
	if done > before {
		f.stats.written.Add((done - before) * pageSize)
	}
	return busy
}
