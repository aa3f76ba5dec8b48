package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// Gap is what may have been lost: the file could not be trusted, or a person
// asked for another one. It lies in the directory until it is recorded, so a
// crash in between does not lose it.
type Gap struct {
	At          clock.Stamp `json:"at"`
	Reason      string      `json:"reason"`
	Asked       bool        `json:"asked,omitempty"`       // vigild restore
	Quarantined []string    `json:"quarantined,omitempty"` // file names in the data directory
	Restored    string      `json:"restored,omitempty"`    // the copy that took its place; "" none: empty
}

// The small files beside the database.
const (
	gapFile     = "ledger.gap"
	epochFile   = "ledger.epoch"
	suspectFile = "ledger.suspect"
)

// maxQuarantined bounds how many damaged files are kept, the newest of them.
const maxQuarantined = 3

// parts are the names of what belongs to one database.
var parts = []string{"", "-wal", "-shm", "-journal"}

// mend leaves a file that may be opened: the one there if it can be trusted,
// else the newest good snapshot, else none. It is safe to kill it anywhere.
func (f *File) mend(ctx context.Context) (*Gap, error) {
	gap, err := readGap(f.cfg.Dir)
	if err != nil {
		return nil, err
	}
	err = f.trust(ctx)
	switch fault.KindOf(err) {
	case fault.OK:
		return gap, nil
	case fault.NotFound:
		if gap == nil && f.Floor() == 0 && len(snapshots(f.snapshotDir())) == 0 {
			return nil, nil // the first start
		}
	case fault.Corrupt:
	default:
		return nil, err
	}
	if gap == nil || gap.Restored == "" || fault.KindOf(err) == fault.Corrupt || gap.Asked && fileSize(gap.Restored) < 0 {
		gap = &Gap{At: f.deps.Clock(), Reason: reason(err), Quarantined: gap.names()}
		if fault.KindOf(err) == fault.NotFound {
			gap.Reason = "the file was not there, although there was a ledger here before"
		}
	}
	if err := f.replace(ctx, gap); err != nil {
		return nil, err
	}
	f.deps.Log.Error("the ledger could not be trusted and was replaced", "path", f.Path(), "reason", gap.Reason,
		"quarantined", gap.Quarantined, "restored", gap.Restored)
	return gap, os.RemoveAll(filepath.Join(f.cfg.Dir, suspectFile))
}

// reason is an error without its mend, which was to do what is done now.
func reason(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	bare := *f
	bare.Hint = ""
	return bare.Error()
}

func (g *Gap) names() []string {
	if g == nil {
		return nil
	}
	return g.Quarantined
}

// trust looks at the file that is there.
func (f *File) trust(ctx context.Context) error {
	if fileSize(f.Path()) < 0 {
		return fault.New(fault.NotFound, "%s is not there", f.Path())
	}
	budget := f.cfg.CheckTime
	if fileSize(filepath.Join(f.cfg.Dir, suspectFile)) >= 0 {
		budget = 0 // something was wrong when it was last used: look at all of it
	}
	dsn := f.readDSN()
	if fileSize(f.Path()+"-journal") >= 0 { // killed while it was first made: only a writer may take that back
		dsn = conn.DSN(f.Path(), f.cfg.VFS, "mode=rw")
	}
	err := f.look(ctx, dsn, f.Path(), budget)
	if err == nil && budget == 0 {
		return os.RemoveAll(filepath.Join(f.cfg.Dir, suspectFile))
	}
	return err
}

// replace moves the file aside, with everything that belongs to it, and puts
// the newest good snapshot in its place. The gap is on disk before the first move.
func (f *File) replace(ctx context.Context, gap *Gap) error {
	aside := fmt.Sprintf("%s.corrupt-%s", f.cfg.Name, gap.At.Time().Format("20060102T150405.000000Z"))
	if gap.Asked {
		aside = strings.Replace(aside, ".corrupt-", ".replaced-", 1)
	}
	if fileSize(f.Path()) >= 0 && !slices.Contains(gap.Quarantined, aside) {
		gap.Quarantined = append(gap.Quarantined, aside)
	}
	if err := writeGap(f.cfg.Dir, gap); err != nil {
		return err
	}
	for _, p := range parts {
		err := os.Rename(f.Path()+p, filepath.Join(f.cfg.Dir, aside+p))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ioFault(err, "moving %s%s aside", f.Path(), p)
		}
	}
	if err := syncDir(f.cfg.Dir); err != nil {
		return ioFault(err, "moving %s aside", f.Path())
	}
	f.trim()
	if gap.Asked {
		return copyFile(gap.Restored, f.Path())
	}
	all := snapshots(f.snapshotDir())
	for _, s := range slices.Backward(all) {
		if err := f.look(ctx, f.copyDSN(s), s, 0); err != nil {
			f.deps.Log.Error("a snapshot of the ledger cannot be used", "path", s, "error", err)
			continue
		}
		gap.Restored = filepath.Base(s)
		if err := writeGap(f.cfg.Dir, gap); err != nil {
			return err
		}
		return copyFile(s, f.Path())
	}
	gap.Restored = ""
	return writeGap(f.cfg.Dir, gap)
}

// trim removes all but the newest damaged files.
func (f *File) trim() {
	all := quarantined(f.cfg.Dir, f.cfg.Name)
	for len(all) > maxQuarantined {
		for _, p := range parts {
			_ = os.Remove(filepath.Join(f.cfg.Dir, all[0]+p)) // what stays is only untidy
		}
		all = all[1:]
	}
}

// quarantined lists the damaged files, oldest first.
func quarantined(dir, name string) (out []string) {
	es, _ := os.ReadDir(dir)
	for _, e := range es {
		n := e.Name()
		if strings.HasPrefix(n, name+".corrupt-") && strings.HasSuffix(n, "Z") {
			out = append(out, n)
		}
	}
	return out
}

// suspect makes the next start look at the whole file, whatever its budget.
func (f *File) suspect(err error) {
	f.deps.Log.Error("the ledger is damaged", "path", f.Path(), "error", err)
	_ = writeFile(filepath.Join(f.cfg.Dir, suspectFile), []byte(err.Error()+"\n")) // without it the budgeted check remains
}

// Floor is the highest epoch ever given out in this directory, as far as is
// known apart from the file; 0 none.
func (f *File) Floor() int64 {
	b, _ := os.ReadFile(filepath.Join(f.cfg.Dir, epochFile))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return max(0, n)
}

// Raise stores the epoch beside the file, before it is used.
func (f *File) Raise(epoch int64) error {
	return writeFile(filepath.Join(f.cfg.Dir, epochFile), fmt.Appendf(nil, "%d\n", epoch))
}

func readGap(dir string) (*Gap, error) {
	b, err := os.ReadFile(filepath.Join(dir, gapFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ioFault(err, "reading %s", gapFile)
	}
	g := &Gap{}
	if json.Unmarshal(b, g) != nil {
		g.Reason = "an earlier gap, whose note could not be read"
	}
	return g, nil
}

func writeGap(dir string, g *Gap) error {
	b, err := json.Marshal(g)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encoding the note of a gap")
	}
	return writeFile(filepath.Join(dir, gapFile), b)
}

func forgetGap(dir string) error {
	if err := os.Remove(filepath.Join(dir, gapFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ioFault(err, "removing %s", gapFile)
	}
	return nil
}
