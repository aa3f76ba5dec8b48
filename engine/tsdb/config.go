// Package tsdb is the time-series store: a log that makes samples durable, heads
// that hold what is not packed yet, and samples.db, which holds the rest.
//
// A sample is acknowledged when it is in the log and synced. Everything that
// waits goes into one write and one sync; then heads are filled, the evaluator is
// told, and the callers are let go, in that order and in log order. The cut packs
// heads into rows, off that path; a log segment is used again when its samples
// are in rows and evaluated. A restart replays the log over the rows and skips,
// series by series, what is in rows already.
//
// It refuses a second instance, network file systems, a row per sample, series
// and labels over their caps, and silence about damage: what was wrong is told
// by Events. The rooms below it pack (chunk), log (wal), keep rows (rows) and
// find series (index).
//
// Open starts nothing; Start starts the committer and the cutter, which end with
// its context; Close waits for them, cuts what is in heads and closes the files.
package tsdb

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"vigil/engine/clock"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal"
)

// Durability says what an acknowledgement means.
type Durability string

// The two meanings.
const (
	Fsync    Durability = "fsync"    // on disk
	Interval Durability = "interval" // on disk within Config.Interval
)

// Config is the store's part of the configuration.
type Config struct {
	Dir        string        `toml:"-"`
	Durability Durability    `toml:"durability"`
	Interval   time.Duration `toml:"interval"` // most that "interval" may lose

	RetentionAge   time.Duration `toml:"retention_age"`
	RetentionBytes int64         `toml:"retention_bytes"` // of samples.db and its log together
	RetentionShare float64       `toml:"retention_share"` // of samples.db that age may delete in an hour

	MaxSeries          int `toml:"max_series"`
	MaxSeriesPerToken  int `toml:"max_series_per_token"`
	MaxLabels          int `toml:"max_labels"`
	MaxLabelNameBytes  int `toml:"max_label_name_bytes"`
	MaxLabelValueBytes int `toml:"max_label_value_bytes"`

	OutOfOrder time.Duration `toml:"out_of_order"` // how far behind its series' newest a sample may be
	Future     time.Duration `toml:"future"`       // how far ahead of the clock
	EraStep    time.Duration `toml:"era_step"`     // a wall-clock step from here on opens an era

	SegmentBytes int64         `toml:"segment_bytes"` // of the log; a batch must fit in one
	LogBytes     int64         `toml:"log_bytes"`     // live log that makes the cut begin
	LogMaxBytes  int64         `toml:"log_max_bytes"` // live log at which appends are refused
	CutEvery     time.Duration `toml:"cut_every"`     // oldest that a sample in heads may get
	RowBytes     int           `toml:"row_bytes"`     // chunks share a row up to here
	Readers      int           `toml:"readers"`       // connections that read samples.db
	AliasBytes   int           `toml:"alias_bytes"`   // memory for look-up by raw labels
	CheckBudget  time.Duration `toml:"check_budget"`  // for quick_check at start

	SnapshotEvery    time.Duration `toml:"snapshot_every"`     // 0: never by itself
	SnapshotKeep     int           `toml:"snapshot_keep"`      // how many of those stay
	SnapshotMaxBytes int64         `toml:"snapshot_max_bytes"` // a larger samples.db is not copied by itself
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{
		Durability: Fsync, Interval: time.Second,
		RetentionAge: 15 * 24 * time.Hour, RetentionBytes: 2 << 30, RetentionShare: 0.05,
		MaxSeries: 200_000, MaxSeriesPerToken: 40_000,
		MaxLabels: 40, MaxLabelNameBytes: 256, MaxLabelValueBytes: 2048,
		OutOfOrder: time.Hour, Future: 10 * time.Minute, EraStep: time.Minute,
		SegmentBytes: 4 << 20, LogBytes: 64 << 20, LogMaxBytes: 256 << 20, CutEvery: 2 * time.Hour,
		RowBytes: 3800, Readers: 2, AliasBytes: 64 << 20, CheckBudget: 250 * time.Millisecond,
		SnapshotEvery: 24 * time.Hour, SnapshotKeep: 2, SnapshotMaxBytes: 256 << 20,
	}
}

// Validate names every value that cannot be.
func (c Config) Validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(c.Dir != "", "dir is empty")
	want(c.Durability == Fsync || c.Durability == Interval, "durability is %q: want fsync or interval", c.Durability)
	want(c.Interval >= 10*time.Millisecond && c.Interval <= time.Minute, "interval is %s: want 10ms to 1m", c.Interval)
	want(c.RetentionAge >= time.Hour, "retention_age is %s: want at least 1h", c.RetentionAge)
	want(c.RetentionShare > 0 && c.RetentionShare <= 1, "retention_share is %g: want more than 0 and at most 1", c.RetentionShare)
	want(c.MaxSeries > 0 && c.MaxSeries <= 50_000_000, "max_series is %d: want 1 to 50 million", c.MaxSeries)
	want(c.MaxSeriesPerToken > 0, "max_series_per_token is %d: want at least 1", c.MaxSeriesPerToken)
	want(c.MaxLabels > 0 && c.MaxLabels <= 1000, "max_labels is %d: want 1 to 1000", c.MaxLabels)
	want(c.MaxLabelNameBytes > 8, "max_label_name_bytes is %d: want more than 8", c.MaxLabelNameBytes)
	want(c.MaxLabelValueBytes > 0, "max_label_value_bytes is %d: want at least 1", c.MaxLabelValueBytes)
	want(c.OutOfOrder >= 0, "out_of_order is %s: want 0 or more", c.OutOfOrder)
	want(c.Future > 0, "future is %s: want more than 0", c.Future)
	want(c.EraStep >= time.Second, "era_step is %s: want at least 1s", c.EraStep)
	want(c.SegmentBytes >= 64<<10 && c.SegmentBytes <= 1<<30, "segment_bytes is %d: want 64 KiB to 1 GiB", c.SegmentBytes)
	want(c.LogBytes >= 2*c.SegmentBytes, "log_bytes is %d: want at least two segments", c.LogBytes)
	want(c.LogMaxBytes >= 2*c.LogBytes, "log_max_bytes is %d: want at least twice log_bytes", c.LogMaxBytes)
	want(c.RetentionBytes >= c.LogMaxBytes+(1<<20), "retention_bytes is %d: want more than log_max_bytes", c.RetentionBytes)
	want(c.CutEvery >= time.Second, "cut_every is %s: want at least 1s", c.CutEvery)
	want(c.RowBytes >= 64 && c.RowBytes <= 4000, "row_bytes is %d: want 64 to 4000", c.RowBytes)
	want(c.Readers > 0 && c.Readers <= 64, "readers is %d: want 1 to 64", c.Readers)
	want(c.AliasBytes >= 1<<20, "alias_bytes is %d: want at least 1 MiB", c.AliasBytes)
	want(c.CheckBudget > 0, "check_budget is %s: want more than 0", c.CheckBudget)
	want(c.SnapshotEvery >= 0 && c.SnapshotKeep > 0, "snapshot_every and snapshot_keep: want 0 or more, and at least 1")
	return errors.Join(errs...)
}

// Deps is what the store needs from others.
type Deps struct {
	Clock clock.Clock
	Log   *slog.Logger
	FS    wal.FS // nil: the host's
}

func (c Config) wal() wal.Config {
	return wal.Config{
		Dir: filepath.Join(c.Dir, "samples.log"), Quarantine: filepath.Join(c.Dir, "quarantine"),
		SegmentBytes: c.SegmentBytes, MaxBytes: c.LogMaxBytes, KeepFree: int(c.LogBytes/c.SegmentBytes) + 2,
	}
}

func (c Config) rows() rows.Config {
	return rows.Config{
		Path: filepath.Join(c.Dir, "samples.db"), Snapshots: filepath.Join(c.Dir, "snapshots"),
		Quarantine: filepath.Join(c.Dir, "quarantine"), Readers: c.Readers, RowBytes: c.RowBytes, CheckBudget: c.CheckBudget,
	}
}
