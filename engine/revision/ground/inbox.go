package ground

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// inbox is what others told the keeper: hints alone, all of which the resync or
// the ledger makes good when one is lost. Its own lock, so that nobody who tells
// something ever waits for a look at the machine.
type inbox struct {
	mu    sync.Mutex
	dirty map[string]bool // paths, and units as systemd:NAME
	all   bool
	ended map[int64]remedy.Remediation
	asks  []*ask // to be run in Run's goroutine
}

// ask is what somebody waits for.
type ask struct {
	f    func() error
	done chan error // has room for the answer
}

// maxDirty is how many paths are told apart; beyond that everything is looked at.
const maxDirty = 4096

// Touched says that these paths may have changed; all: nobody knows which.
func (g *Ground) Touched(paths []string, all bool) {
	g.inbox.mu.Lock()
	for _, p := range paths {
		if len(g.inbox.dirty) >= maxDirty {
			all = true
			break
		}
		g.inbox.dirty[p] = true
	}
	if all {
		g.inbox.all = true
		clear(g.inbox.dirty)
	}
	g.inbox.mu.Unlock()
	g.Poke()
}

// UnitTouched says that a unit may have changed.
func (g *Ground) UnitTouched(unit string) { g.Touched([]string{unitPrefix + unit}, false) }

const unitPrefix = "systemd:"

// Ended says that a remediation has come to an end; those of others are ignored.
func (g *Ground) Ended(r remedy.Remediation) {
	if r.Source != remedy.FromReconcile {
		return
	}
	g.inbox.mu.Lock()
	g.inbox.ended[r.ID] = r
	g.inbox.mu.Unlock()
	g.Poke()
}

// Poke wakes the keeper.
func (g *Ground) Poke() {
	select {
	case g.Wake <- struct{}{}:
	default:
	}
}

// Ask runs f in the goroutine of Run and waits for it. Unavailable: Run has ended, or
// ctx did before it was f's turn; f is not run then. What has begun is waited for.
func (g *Ground) Ask(ctx context.Context, f func() error) error {
	a := &ask{f, make(chan error, 1)}
	g.inbox.mu.Lock()
	g.inbox.asks = append(g.inbox.asks, a)
	g.inbox.mu.Unlock()
	g.Poke()
	given := ctx.Done()
	for {
		select {
		case err := <-a.done:
			return err
		case <-g.Down:
			select {
			case err := <-a.done: // it was the last thing that was done
				return err
			default:
				return fault.New(fault.Unavailable, "vigild is stopping")
			}
		case <-given:
			if g.unask(a) {
				return fault.Wrap(fault.Unavailable, ctx.Err(), "the desired state is being worked on")
			}
			given = nil // it has begun
		}
	}
}

// unask takes back what was asked for; false: it is under way or done.
func (g *Ground) unask(a *ask) bool {
	g.inbox.mu.Lock()
	defer g.inbox.mu.Unlock()
	i := slices.Index(g.inbox.asks, a)
	if i < 0 {
		return false
	}
	g.inbox.asks = slices.Delete(g.inbox.asks, i, i+1)
	return true
}

// Hear runs what was asked for and takes what ended. It returns whether there
// was anything.
func (g *Ground) Hear(ctx context.Context) bool {
	g.inbox.mu.Lock()
	asks, ended := g.inbox.asks, g.inbox.ended
	g.inbox.asks, g.inbox.ended = nil, map[int64]remedy.Remediation{}
	g.inbox.mu.Unlock()
	for _, a := range asks {
		a.done <- a.f()
	}
	g.advance(ctx, ended)
	return len(asks)+len(ended) > 0
}

// Wait blocks until something was told, or until the time has come, or ctx ended.
func (g *Ground) Wait(ctx context.Context, until time.Time) {
	d := max(0, until.Sub(g.Clock().Time()))
	most := quietEvery
	if len(g.Flows)+len(g.Suspends) > 0 || g.Busy {
		most = PollEvery
	}
	t := time.NewTimer(min(d, most))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-g.Wake:
	case <-t.C:
		g.Poll(ctx)
	}
}

// PollEvery is how often the ledger is asked about what is under way, since the
// word of an end may be lost.
const PollEvery = time.Second

// quietEvery is how often the keeper turns while nothing is under way and nothing
// is suspended: each turn goes through all things, and there may be very many.
const quietEvery = 10 * time.Second

// Poll asks the ledger about every remediation under way.
func (g *Ground) Poll(ctx context.Context) {
	for id, f := range g.Flows {
		r, err := g.Reader.Remediation(ctx, id)
		if err != nil {
			continue
		}
		if Over(r.State) {
			g.Ended(r)
		}
		held := ""
		if r.State == remedy.Held {
			held = r.Gate + ": " + r.Reason
		}
		g.Mu.Lock()
		f.Held = held
		g.Mu.Unlock()
	}
}

// Over says that nothing more happens to a remediation that the keeper waits for.
func Over(s remedy.State) bool {
	return s.Final() || s == remedy.GaveUp || s == remedy.Indeterminate
}

// Commit writes a decision of the keeper.
func (g *Ground) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	d.At = g.Clock()
	for i := range d.Audit {
		d.Audit[i].At = d.At
		if d.Audit[i].Actor == "" {
			d.Audit[i].Actor = "vigild"
		}
	}
	return g.Journal.Commit(context.WithoutCancel(ctx), d)
}

// Dirty takes the things that somebody said may have changed.
func (g *Ground) Dirty() (ts []*Thing, all bool) {
	g.inbox.mu.Lock()
	paths, all := g.inbox.dirty, g.inbox.all
	g.inbox.dirty, g.inbox.all = map[string]bool{}, false
	g.inbox.mu.Unlock()
	if all {
		return g.Order, true
	}
	seen := map[*Thing]bool{}
	add := func(list []*Thing) {
		for _, t := range list {
			if !seen[t] {
				seen[t] = true
				ts = append(ts, t)
			}
		}
	}
	for p := range paths {
		if u, unit := strings.CutPrefix(p, unitPrefix); unit {
			add(g.byUnit[u])
			continue
		}
		add(g.byPath[p])
	}
	Sorted(ts)
	return ts, false
}
