package vigilsim

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/atonce"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/hall"
	"vigil/engine/ledger"
	"vigil/engine/remedy"
	"vigil/engine/remedy/worker"
	"vigil/engine/series"
	"vigil/engine/tsdb"
)

// clocks are the host's: the bubble's time goes on, the wall clock may be set, and
// the boot clock begins again at a reboot.
type clocks struct {
	mu     sync.Mutex
	offset time.Duration // of the wall clock
	booted time.Time
	boot   string
	boots  map[string]time.Time
}

func newClocks() *clocks {
	// The bubble begins in the year 2000; any day will do, but for one long past.
	c := &clocks{offset: 26 * 365 * 24 * time.Hour, booted: time.Now().Add(-time.Hour), boot: "boot-0"}
	c.boots = map[string]time.Time{c.boot: c.booted}
	return c
}

func (c *clocks) bootID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boot
}

// now is a clock.Clock.
func (c *clocks) now() clock.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now()
	return clock.Stamp{Wall: at.Add(c.offset).UnixMicro(), Boot: int64(at.Sub(c.booted)), BootID: c.boot}
}

// step sets the wall clock.
func (c *clocks) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// reboot begins another boot a moment ago.
func (c *clocks) reboot(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.booted, c.boot = time.Now().Add(-20*time.Second), id
	c.boots[id] = c.booted
}

// life is one run of the daemon's inner part on a data directory: the real stores,
// the real engine and the real worker, introduced to each other as the daemon does.
type life struct {
	dir    string
	ledger *ledger.Ledger
	store  *tsdb.Store
	engine *hall.Engine
	worker *worker.Worker
	door   *door
	cancel context.CancelFunc
	ended  sync.WaitGroup
	began  time.Time
}

// errDead is what a daemon hears that was killed.
var errDead = fault.New(fault.Cancelled, "vigild was killed")

// door stands before the ledger. At a call that was chosen it shuts, before or after
// it: from then on nothing that the daemon does is written, and the one who looks after
// the simulation takes it from there. So a kill comes between any two writes.
type door struct {
	shut  atomic.Bool
	died  chan struct{} // closed when it shuts
	after chan struct{} // closed when the daemon may go
	once  sync.Once

	mu    sync.Mutex
	armed string // kind of call, "" none
	count int    // of such calls until it shuts

	acked sync.Map // remediation id -> newest version that was answered
}

func newDoor() *door { return &door{died: make(chan struct{}), after: make(chan struct{})} }

// arm makes the door shut at the n-th call of a kind.
func (d *door) arm(kind string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.count = kind, n
}

// pass lets a call through; once the door is shut nobody comes through.
func (d *door) pass(kind string) error {
	d.mu.Lock()
	if d.armed == kind {
		if d.count--; d.count <= 0 {
			d.armed = ""
			d.close()
		}
	}
	d.mu.Unlock()
	if d.shut.Load() {
		<-d.after
		return errDead
	}
	return nil
}

func (d *door) close() {
	d.once.Do(func() {
		d.shut.Store(true)
		close(d.died)
	})
}

// around is a call between two passes.
func around(d *door, kind string, call func() error) error {
	if err := d.pass(kind + ".before"); err != nil {
		return err
	}
	err := call()
	if perr := d.pass(kind + ".after"); perr != nil {
		return perr
	}
	return err
}

// journal is the door of the engine.
type journal struct {
	engine.Journal
	d *door
}

func (j journal) Commit(ctx context.Context, d *engine.Decision) (rc engine.Receipt, err error) {
	kind := "commit"
	if len(d.Remediations) > 0 {
		kind = "decision"
	}
	err = around(j.d, kind, func() error {
		var err error
		rc, err = j.Journal.Commit(ctx, d)
		return err
	})
	return rc, err
}

// book is the door of the worker.
type book struct {
	remedy.Ledger
	d *door
}

func (b book) Claim(ctx context.Context, c remedy.Claim) (m remedy.Move, err error) {
	err = around(b.d, "claim", func() error {
		m, err = b.Ledger.Claim(ctx, c)
		if err == nil {
			b.d.acked.Store(c.ID, c.Version+1)
		}
		return err
	})
	return m, err
}

func (b book) Apply(ctx context.Context, version int64, m remedy.Move) error {
	return around(b.d, "apply", func() error {
		err := b.Ledger.Apply(ctx, version, m)
		if err == nil {
			b.d.acked.Store(m.Next.ID, version+1)
		}
		return err
	})
}

// house is what each life of one simulation is made of.
type house struct {
	clocks *clocks
	acts   remedy.Actions
	conf   remedy.Config
	jitter func() float64
	log    io.Writer
	plant  plant
	born   func(*life) // before anything acts
}

// begin opens a data directory and runs until the engine is ready.
func (h *house) begin(dir string) (l *life, err error) {
	l = &life{dir: dir, door: newDoor(), began: time.Now()}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	lc := ledger.Defaults()
	lc.Dir, lc.BallastMB, lc.Upkeep = dir, 0, 10*time.Minute
	if l.ledger, err = ledger.Open(lc, ledger.Deps{Clock: h.clocks.now, Log: log}); err != nil {
		return nil, err
	}
	tc := tsdb.Defaults()
	tc.Dir, tc.SegmentBytes, tc.AliasBytes = dir, 1<<20, 1<<20
	if l.store, err = tsdb.Open(tc, tsdb.Deps{Clock: h.clocks.now, Log: log}); err != nil {
		return nil, errors.Join(err, l.ledger.Close())
	}
	work := make(chan struct{}, 1)
	first := atonce.New(journal{h.plant.journal(l.ledger), l.door})
	cfg := engine.Defaults()
	cfg.Remedy, cfg.Shards = h.conf, 2
	l.engine, err = hall.New(cfg, engine.Deps{
		Samples: l.store, Journal: first, Reader: l.ledger, Actions: h.acts,
		Notices: engine.Notices{Work: work}, Clock: h.clocks.now, Log: log,
	})
	if err == nil {
		l.worker, err = worker.New(h.conf, worker.Deps{
			Ledger: book{h.plant.ledger(l.ledger), l.door}, Judge: h.plant.judge(l.engine.Judge), Actions: h.acts,
			Clock: h.clocks.now, Wake: work, Log: log, Jitter: h.jitter,
		})
	}
	if err != nil {
		return nil, errors.Join(err, l.store.Close(), l.ledger.Close())
	}
	first.Introduce(l.worker)
	h.born(l)
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	failed := make(chan error, 1)
	part := func(run func(context.Context) error) {
		l.ended.Go(func() {
			if err := run(ctx); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	part(l.ledger.Run)
	part(l.engine.Run)
	select {
	case <-l.engine.Ready():
	case err := <-failed:
		l.stop()
		return nil, err
	}
	part(l.worker.Run)
	return l, nil
}

// stop ends a life in order, the stores last.
func (l *life) stop() error {
	l.cancel()
	l.ended.Wait()
	return errors.Join(l.store.Close(), l.ledger.Close())
}

// kill ends a life as kill -9 does, as the directory `to` has it: what was written up
// to here is there, and nothing that comes after. The door has been shut.
func (l *life) kill(to string) error {
	if err := os.CopyFS(to, os.DirFS(l.dir)); err != nil {
		return err
	}
	l.cancel()
	close(l.door.after)
	l.ended.Wait()
	// The dead do not close; this lets go of the files of the directory that is left behind.
	err := errors.Join(l.store.Close(), l.ledger.Close())
	return errors.Join(err, os.RemoveAll(l.dir))
}

// room is a folder in memory where there is one: the simulation is about time and not
// about the disk, which other tests take away.
func room(t interface{ TempDir() string }) string {
	if dir, err := os.MkdirTemp("/dev/shm", "vigilsim"); err == nil {
		return dir
	}
	return t.TempDir()
}

func folder(root string, n int) string { return filepath.Join(root, "life"+strings.Repeat("'", n%3)) }

// put puts documents in force, as over the API.
func (l *life) put(ctx context.Context, text string) error {
	ds, is := document.Parse("sim.yaml", []byte(text), document.API)
	if err := is.Err(); err != nil {
		return err
	}
	for _, d := range ds {
		p, is := engine.PolicyFromDocument(d)
		if err := is.Err(); err != nil {
			return err
		}
		if _, err := l.engine.PutPolicy(ctx, "token:sim", p, document.API, "", false); err != nil {
			return err
		}
	}
	return nil
}

// push takes in one round of samples and says how many were refused.
func (l *life) push(ctx context.Context, ps []point) (refused int, err error) {
	b := &series.Batch{}
	for _, p := range ps {
		b.Add(series.FromMap(p.name, map[string]string{"service": p.service}), p.at, p.v)
	}
	err = l.engine.Ingest(ctx, b)
	for i := range b.Items {
		refused += int(b.Items[i].Refused)
	}
	return refused, err
}

// point is one sample; at is in Unix ms.
type point struct {
	name, service string
	at            int64
	v             float64
}
