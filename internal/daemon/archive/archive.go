// Package archive exports the oldest audit records to a folder and then lets the
// ledger prune them, by itself and by the configuration alone.
//
// Nothing goes that is not in a file which was synced, read back and verified:
// each file is a piece of the chain, named after its first and last record, in
// the form of `vigild audit export`. It refuses to decide what may be pruned: that
// is the ledger's word, by the hash of the last record.
//
// A crash leaves at most a file ending in .part, which is written anew, or a
// whole file whose records are still in the ledger, which are pruned by it in the
// next round. New starts nothing; Run blocks until its ctx ends.
package archive

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// Config is `[audit]`.
type Config struct {
	Folder string            `toml:"folder"`  // absolute; "" exports and prunes nothing
	Keep   document.Duration `toml:"keep"`    // younger records stay; 0: age says nothing
	KeepMB int               `toml:"keep_mb"` // the newest so many MiB of lines stay; 0: size says nothing
	Every  document.Duration `toml:"every"`   // between two looks
}

// Defaults is off.
func Defaults() Config { return Config{Every: document.Duration(time.Hour)} }

// Validate names the first setting that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Folder != "" && !filepath.IsAbs(c.Folder):
		return fault.New(fault.Unprocessable, "audit.folder is %q, an absolute path was expected", c.Folder).At("audit.folder")
	case c.Folder != "" && c.Keep == 0 && c.KeepMB == 0:
		return fault.New(fault.Unprocessable, "audit.folder is set, but nothing says which records may go").At("audit.folder").Mend(`keep = "90d", or keep_mb`)
	case c.Folder == "" && (c.Keep != 0 || c.KeepMB != 0):
		return fault.New(fault.Unprocessable, "audit records are pruned only where they are exported first").At("audit.keep").Mend("name a folder: audit.folder")
	case c.Keep < 0 || c.Keep > 0 && c.Keep.Std() < time.Second:
		return fault.New(fault.Unprocessable, "audit.keep is %s, at least 1s was expected", c.Keep).At("audit.keep")
	case c.KeepMB < 0 || c.KeepMB > 1<<20:
		return fault.New(fault.Unprocessable, "audit.keep_mb is %d, from 0 to %d was expected", c.KeepMB, 1<<20).At("audit.keep_mb")
	case c.Every.Std() < time.Minute:
		return fault.New(fault.Unprocessable, "audit.every is %s, at least 1m was expected", c.Every).At("audit.every")
	}
	return nil
}

// Chain is the ledger as this room sees it.
type Chain interface {
	Audit(ctx context.Context, after int64, object string, limit int) ([]audit.Record, error)
	Prune(ctx context.Context, actor string, upto audit.Head) error
}

// Deps is what an Archive needs.
type Deps struct {
	Chain Chain
	Clock clock.Clock
	Log   *slog.Logger
}

// Archive is one host's.
type Archive struct {
	conf Config
	deps Deps
}

// New makes an Archive.
func New(c Config, d Deps) (*Archive, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Archive{c, d}, nil
}

// Run looks at once and then every so often, until ctx ends.
func (a *Archive) Run(ctx context.Context) error {
	if a.conf.Folder == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(a.conf.Every.Std())
	defer tick.Stop()
	for {
		n, err := a.Round(ctx)
		if n > 0 {
			a.deps.Log.Info("audit records were exported and pruned", "records", n, "folder", a.conf.Folder)
		}
		if err != nil && ctx.Err() == nil {
			a.deps.Log.Error("audit records could not be exported, so they stay", "folder", a.conf.Folder, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// The bounds of one file, so that no prune is one long transaction.
const (
	page       = 500
	maxRecords = 20_000
	maxBytes   = 64 << 20
)

// Round exports and prunes what may go now and tells how many records that were.
// Blocks on disk; not concurrent.
func (a *Archive) Round(ctx context.Context) (gone int64, err error) {
	if err := a.place(); err != nil {
		return 0, err
	}
	spare := int64(-1) // bytes that may go; below 0 the size says nothing
	if a.conf.KeepMB > 0 {
		all, err := a.size(ctx)
		if err != nil {
			return 0, err
		}
		spare = max(0, all-int64(a.conf.KeepMB)<<20)
	}
	for ctx.Err() == nil {
		first, err := a.deps.Chain.Audit(ctx, 0, "", 1)
		if err != nil || len(first) == 0 {
			return gone, err
		}
		from := audit.Head{Seq: first[0].Seq - 1, Hash: first[0].Prev}
		upto, size, err := a.finished(from)
		if err == nil && upto.Seq == 0 {
			upto, size, err = a.write(ctx, from, spare)
		}
		if err != nil || upto.Seq == 0 {
			return gone, err
		}
		if err := a.deps.Chain.Prune(ctx, "vigild", upto); err != nil {
			return gone, fault.Wrap(fault.KindOf(err), err, "pruning what %s holds", a.name(from, upto))
		}
		gone += upto.Seq - from.Seq
		if spare >= 0 {
			spare = max(0, spare-size)
		}
	}
	return gone, ctx.Err()
}

// size is that of all stored records as lines.
func (a *Archive) size(ctx context.Context) (n int64, err error) {
	err = a.walk(ctx, 0, func(_ audit.Record, line []byte) (bool, error) {
		n += int64(len(line))
		return true, nil
	})
	return n, err
}

// walk calls each for every record after one, until it says false.
func (a *Archive) walk(ctx context.Context, after int64, each func(r audit.Record, line []byte) (bool, error)) error {
	for {
		rs, err := a.deps.Chain.Audit(ctx, after, "", page)
		if err != nil {
			return err
		}
		for _, r := range rs {
			if more, err := each(r, audit.MarshalLine(r)); err != nil || !more {
				return err
			}
			after = r.Seq
		}
		if len(rs) < page {
			return nil
		}
	}
}
