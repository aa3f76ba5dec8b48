// Package ledger is ledger.db: policies, firings, remediations, attempts, gate
// state, holds, desired state, tokens and the audit chain, on SQLite.
//
// A change and its audit records are one transaction, fsynced before it is
// acknowledged. Constraints carry the invariants: one open firing per policy
// and labels, one open attempt per subject, attempt numbers unique, audit rows
// neither changed nor removed, row versions compared; a bug becomes an error.
// Every row has a checksum; the audit chain has its hashes.
//
// It refuses decisions (gates are handed in and only run here), samples, effects
// outside its directory, and knowledge of HTTP. One file per noun; how the file
// itself is kept stands in disk. Methods block on disk and are safe for
// concurrent use. Open starts nothing; Run does the upkeep until its ctx ends;
// Close marks a clean stop.
package ledger

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/disk"
	"vigil/engine/ledger/schema"
	"vigil/engine/ledger/table"
	"vigil/engine/remedy"
)

// Config is the ledger's part of the configuration.
type Config struct {
	Dir       string        `toml:"-"`          // the data directory
	Readers   int           `toml:"readers"`    // read connections
	BallastMB int           `toml:"ballast_mb"` // MiB kept aside for a full disk; 0 none
	CheckTime time.Duration `toml:"check_time"` // budget of the check at start
	Upkeep    time.Duration `toml:"upkeep"`     // period of checkpoints and trimming
	Closed    int           `toml:"closed"`     // closed firings and ended holds that are kept
	Finished  int           `toml:"finished"`   // newest remediations of which the finished ones are kept
	LogPages  int           `toml:"log_pages"`  // pages of 4 KiB in the write-ahead log before it is emptied
	VFS       string        `toml:"-"`          // a registered SQLite VFS, for tests of the disk
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{Readers: 2, BallastMB: 16, CheckTime: 500 * time.Millisecond, Upkeep: 10 * time.Second, Closed: 10_000, Finished: 100_000, LogPages: 1000}
}

// Validate names the first setting that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return fault.New(fault.Unprocessable, "the ledger has no directory").At("data_dir")
	case c.Readers < 1 || c.Readers > 64:
		return fault.New(fault.Unprocessable, "ledger.readers is %d, from 1 to 64 were expected", c.Readers).At("ledger.readers")
	case c.BallastMB < 0 || c.BallastMB > 4096:
		return fault.New(fault.Unprocessable, "ledger.ballast_mb is %d, from 0 to 4096 were expected", c.BallastMB).At("ledger.ballast_mb")
	case c.CheckTime <= 0:
		return fault.New(fault.Unprocessable, "ledger.check_time must be longer than 0").At("ledger.check_time")
	case c.Upkeep < 100*time.Millisecond:
		return fault.New(fault.Unprocessable, "ledger.upkeep is %s, at least 100ms was expected", c.Upkeep).At("ledger.upkeep")
	case c.Finished < 1000:
		return fault.New(fault.Unprocessable, "ledger.finished is %d, at least 1000 was expected", c.Finished).At("ledger.finished")
	case c.LogPages < 4 || c.LogPages > 1600:
		return fault.New(fault.Unprocessable, "ledger.log_pages is %d, from 4 to 1600 were expected", c.LogPages).At("ledger.log_pages")
	case c.Closed < 0:
		return fault.New(fault.Unprocessable, "ledger.closed is %d, at least 0 was expected", c.Closed).At("ledger.closed")
	}
	return nil
}

// Deps is what the ledger needs from others.
type Deps struct {
	Clock clock.Clock
	Log   *slog.Logger // nil: nobody reads it
}

// Ledger is an open ledger.
type Ledger struct {
	cfg   Config
	deps  Deps
	file  *disk.File
	epoch int64
	start int64
	head  atomic.Pointer[audit.Head] // of what was acknowledged
	used  uses
	tally tally
	gap   *disk.Gap // what was lost before this start without anybody asking for it
}

var (
	_ engine.Journal = (*Ledger)(nil)
	_ engine.Reader  = (*Ledger)(nil)
	_ remedy.Ledger  = (*Ledger)(nil)
	_ engine.Replays = (*Ledger)(nil)

	_ engine.DesiredReader = (*Ledger)(nil)
)

// Open opens the ledger in cfg.Dir, or makes it. It blocks: it checks the file
// (for at most CheckTime), restores the newest good snapshot where it must,
// migrates, and records the start. Conflict: another process has the directory.
// Unsupported: a newer vigild wrote it, or a network file system; nothing was changed.
func Open(cfg Config, deps Deps) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{cfg: cfg, deps: deps}
	l.head.Store(&audit.Head{})
	ctx := context.Background()
	var err error
	l.file, err = disk.Open(ctx, cfg.disk(), l.schema(), disk.Deps{Clock: deps.Clock, Log: deps.Log})
	if err != nil {
		return nil, err
	}
	if err := l.begin(ctx); err != nil {
		_ = l.file.Close() // the first error is the one to tell
		return nil, err
	}
	_ = l.rehearse(ctx) // it changes nothing, and what is wrong the first decision will say
	return l, nil
}

func (c Config) disk() disk.Config {
	return disk.Config{
		Dir: c.Dir, Name: "ledger.db", Readers: c.Readers, Ballast: int64(c.BallastMB) << 20,
		CheckTime: c.CheckTime, Upkeep: c.Upkeep, LogPages: c.LogPages, VFS: c.VFS,
	}
}

func (l *Ledger) schema() disk.Schema {
	return disk.Schema{AppID: schema.AppID, Migrations: schema.Migrations(), Verify: l.verifyHead, Check: table.Check}
}

// Run does the upkeep until ctx ends: checkpoints, ballast, trimming.
func (l *Ledger) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- l.file.Run(ctx) }()
	tick := time.NewTicker(6 * l.cfg.Upkeep)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if err := l.trim(ctx); err != nil && fault.KindOf(err) != fault.Cancelled {
				l.deps.Log.Warn("trimming the ledger failed", "error", err)
			}
		}
	}
}

// Close marks a clean stop and closes the file. Nothing may be in flight.
func (l *Ledger) Close() error {
	err := l.stop()
	if cerr := l.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// Epoch is the database's: part of every attempt's id.
func (l *Ledger) Epoch() int64 { return l.epoch }

// write runs a change of vital rows; others pass vital false.
func (l *Ledger) write(ctx context.Context, vital bool, change func(*table.Tx) error) error {
	var last audit.Head
	acts := false
	return l.file.Write(ctx, disk.Job{
		Vital: vital,
		Run: func(c *conn.Conn) error {
			t := &table.Tx{Conn: c}
			if err := t.Load(); err != nil {
				return err
			}
			if err := change(t); err != nil {
				return err
			}
			last, acts = t.State.Head, t.Acts
			return t.Save()
		},
		Done: func() {
			l.head.Store(&last)
			if acts {
				l.tally.changes.Add(1)
			}
		},
	})
}

// verifyHead says whether a fresh writer shows everything acknowledged so far.
func (l *Ledger) verifyHead(c *conn.Conn) error {
	s, err := table.ReadState(context.Background(), c)
	if err != nil {
		return err
	}
	if want := *l.head.Load(); s.Head.Seq < want.Seq || s.Head.Seq == want.Seq && s.Head != want {
		return fault.New(fault.Corrupt, "the ledger ends at audit record %d, but record %d was acknowledged", s.Head.Seq, want.Seq).
			Mend("start vigild again: it checks the file and restores the newest good snapshot")
	}
	return nil
}
