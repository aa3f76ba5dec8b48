package ledger

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

// tally is how many remediations are in which state, counted again only once one
// was written: thousands of finished ones lie in the ledger, and who asks how many
// there are asks every few seconds.
type tally struct {
	changes atomic.Uint64 // decisions that wrote remediations, acknowledged

	mu     sync.Mutex
	counts map[remedy.State]int // nil: never counted
	at     uint64               // changes before the count began: it is no older
}

// Counts counts remediations by state, created since (zero: ever).
func (l *Ledger) Counts(ctx context.Context, since clock.Stamp) (map[remedy.State]int, error) {
	if !since.IsZero() {
		var row conn.Row
		row.Int(since.Wall)
		return l.count(ctx, "created_wall >= ?", row)
	}
	l.tally.mu.Lock()
	defer l.tally.mu.Unlock()
	now := l.tally.changes.Load()
	if l.tally.counts == nil || l.tally.at != now {
		counts, err := l.count(ctx, "true", conn.Row{})
		if err != nil {
			return nil, err
		}
		l.tally.counts, l.tally.at = counts, now
	}
	return maps.Clone(l.tally.counts), nil
}

func (l *Ledger) count(ctx context.Context, where string, row conn.Row) (map[remedy.State]int, error) {
	out := map[remedy.State]int{}
	err := l.file.Read(ctx, func(c *conn.Conn) error {
		clear(out)
		return c.Query(ctx, "SELECT state, count(*) FROM remediations WHERE "+where+" GROUP BY state", row, func(cs *conn.Cells) error {
			out[remedy.State(cs.Text())] = int(cs.Int())
			return nil
		})
	})
	return out, err
}

// total is how many a filter that lets all of some states pass lets pass; -1 for
// one that asks for more, which has to be counted.
func (l *Ledger) total(ctx context.Context, f engine.RemediationFilter) (int, error) {
	if f.Target != "" || f.Policy != "" || f.Firing != nil || f.From != 0 || f.To != 0 {
		return -1, nil
	}
	counts, err := l.Counts(ctx, clock.Stamp{})
	n := 0
	for s, c := range counts {
		if wanted(f, s) {
			n += c
		}
	}
	return n, err
}

// wanted says whether a filter lets a state pass.
func wanted(f engine.RemediationFilter, s remedy.State) bool {
	return (f.Word == "" || s.Word() == f.Word) && (len(f.States) == 0 || slices.Contains(f.States, s))
}
