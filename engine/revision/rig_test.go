package revision_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vigil/actions"
	"vigil/actions/heal"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/hall"
	"vigil/engine/ledger"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/load"
	"vigil/engine/remedy"
	"vigil/engine/remedy/worker"
	"vigil/engine/revision"
	"vigil/engine/tsdb"
	"vigil/engine/world"
)

// rig is a keeper over a real ledger, a real machine (a folder of it) and a real
// worker; commits are texts.
type rig struct {
	*revision.Keeper
	t      testing.TB
	dir    string // vigild's own
	root   string // what documents may touch
	ledger *ledger.Ledger
	engine *hall.Engine
	stop   func()

	mu      sync.Mutex
	commits map[string]string
	marks   map[string]string
	healthy func(reconcile.Health) error
	leaving atomic.Bool // the machine goes down
	hang    atomic.Bool // nothing is proved until the keeper stops
	acts    func(remedy.Actions) remedy.Actions
	own     revision.Own
	suspect func(context.Context, string) string
	cfg     revision.Config
}

func newRig(t testing.TB) *rig {
	t.Helper()
	cfg := revision.Defaults()
	cfg.Resync = document.Duration(time.Hour) // what a word should bring is not brought by a round
	cfg.Soak = 0
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "data"), root: filepath.Join(t.TempDir(), "etc"), commits: map[string]string{}, marks: map[string]string{}, cfg: cfg}
	for _, d := range []string{r.dir, r.root} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if r.stop != nil {
			r.stop()
		}
	})
	return r
}

// must is for tests that cannot go on.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// start opens everything on the rig's folders; the returned stop ends it all.
func (r *rig) start() *rig {
	t := r.t
	t.Helper()
	now := clock.System()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	lc := ledger.Defaults()
	lc.Dir, lc.BallastMB = r.dir, 0
	led := must[*ledger.Ledger](t)(ledger.Open(lc, ledger.Deps{Clock: now, Log: log}))
	tc := tsdb.Defaults()
	tc.Dir = r.dir
	st := must[*tsdb.Store](t)(tsdb.Open(tc, tsdb.Deps{Clock: now}))
	ac := actions.Defaults()
	ac.DataDir = r.dir
	ac.Heal = heal.Config{Paths: []string{r.root}, Refused: []string{r.dir}, Commands: true}
	set := must[*actions.Set](t)(actions.New(ac, actions.Deps{Clock: now, Log: log}))
	var acts remedy.Actions = set
	if r.acts != nil {
		acts = r.acts(set)
	}
	work := make(chan struct{}, 1)
	ec := engine.Defaults()
	ec.BootGrace = 0
	eng := must[*hall.Engine](t)(hall.New(ec, engine.Deps{Samples: st, Journal: led, Reader: led, Actions: set, Clock: now, Notices: engine.Notices{Work: work}, Log: log}))
	w := must[*world.World](t)(world.New(world.Config{}, world.Deps{Logger: log}))
	d := revision.Deps{
		Journal: led, Kept: led, Reader: led, World: w, Actions: acts, Keep: set.Contents().Put, Lend: set.Contents().Lend, Load: r.load,
		Mark: func(_ context.Context, name, commit string) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.marks[name] = commit
			return nil
		},
		Nudge: func() {
			select {
			case work <- struct{}{}:
			default:
			}
		},
		Leaving: func(context.Context) bool { return r.leaving.Load() },
		Own:     r.own, Suspect: r.suspect, Clock: now, Log: log,
	}
	if r.healthy != nil {
		d.Healthy = func(ctx context.Context, h reconcile.Health, _ clock.Stamp) (string, error) {
			if r.hang.Load() {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "it says so", r.healthy(h)
		}
	}
	k := must[*revision.Keeper](t)(revision.New(r.cfg, d))
	eng.Introduce(k)
	wk := must[*worker.Worker](t)(worker.New(remedy.Defaults(), worker.Deps{Ledger: ended{led, k}, Judge: eng.Judge, Actions: acts, Clock: now, Wake: work, Log: log}))
	r.Keeper, r.ledger, r.engine = k, led, eng

	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		all.Go(func() {
			if err := f(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	run("engine", eng.Run)
	<-eng.Ready()
	run("worker", wk.Run)
	run("keeper", k.Run)
	r.stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		for _, c := range []interface{ Close() error }{st, led} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// ended tells the keeper of ends as the worker's notice does.
type ended struct {
	*ledger.Ledger
	k *revision.Keeper
}

func (e ended) Apply(ctx context.Context, v int64, m remedy.Move) error {
	err := e.Ledger.Apply(ctx, v, m)
	if err == nil {
		e.k.Ended(m.Next)
	}
	return err
}

func (e ended) Claim(ctx context.Context, c remedy.Claim) (remedy.Move, error) {
	m, err := e.Ledger.Claim(ctx, c)
	if err == nil {
		e.k.Ended(m.Next)
	}
	return m, err
}

// load reads a commit: its text is one file of documents.
func (r *rig) load(_ context.Context, commit string) (*reconcile.Set, error) {
	r.mu.Lock()
	text, ok := r.commits[commit]
	r.mu.Unlock()
	if !ok {
		return nil, fault.New(fault.NotFound, "no commit %s", commit)
	}
	trust := reconcile.Trust{Kinds: []string{"File", "Directory"}, Paths: []string{r.root}, Refused: []string{r.dir}, Commands: true}
	set, is := load.Load([]load.File{{Path: "all.yaml", Data: []byte(text)}}, load.Host{Name: "test"}, trust, load.Deps{})
	return set, is.Err()
}

// file is a document of one file below the root.
func (r *rig) file(name, content string, more ...string) string {
	return fmt.Sprintf("---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: %s}\nspec:\n  path: %s\n  content: %q\n  permissions: \"0644\"\n%s",
		name, r.path(name), content, strings.Join(append(more, ""), "\n"))
}

func (r *rig) path(name string) string { return filepath.Join(r.root, name) }

// commit makes a commit of documents.
func (r *rig) commit(id string, docs ...string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id = (id + strings.Repeat("0", 40))[:40]
	r.commits[id] = strings.Join(docs, "")
	return id
}

// push lands a commit and follows it to its end.
func (r *rig) push(id string, docs ...string) ([]string, error) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	n, err := r.Land(ctx, engine.Revision{Commit: r.commit(id, docs...), Subject: id, Pusher: "ada", Source: "push", Ref: "refs/heads/main"})
	if err != nil {
		return nil, err
	}
	var said []string
	err = r.Await(ctx, n, func(l string) { said = append(said, l) })
	return said, err
}

func (r *rig) good(id string, docs ...string) []string {
	r.t.Helper()
	said, err := r.push(id, docs...)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", id, err, strings.Join(said, "\n"))
	}
	return said
}

// is says what a file below the root holds; "-" when it is not there.
func (r *rig) is(name string) string {
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		return "-"
	}
	return string(b)
}

// write puts a file there at once, so that nobody sees half of it.
func (r *rig) write(name, content string) {
	r.t.Helper()
	fresh := r.root + ".fresh"
	if err := os.WriteFile(fresh, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(fresh, r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// touch changes a file by hand, and the event comes.
func (r *rig) touch(name, content string) {
	r.t.Helper()
	r.write(name, content)
	r.Touched([]string{r.path(name)}, false)
}

// until polls what another goroutine brings about.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			r.t.Fatalf("it did not come: %s\nstate: %+v\ndrift: %+v", what, r.State(), r.Drift())
		}
		<-time.After(2 * time.Millisecond)
	}
}
