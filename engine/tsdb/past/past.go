// Package past says what vigild's own checks had measured before this start and did
// not end: what a check no longer sees since then is to be ended by it, as it would
// have been had vigild run.
//
// Whose a series is lies in its definition; whether it stands is its last sample,
// which is read when it is asked for and not at the start. It refuses to end
// anything. Starts nothing; concurrent.
package past

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"

	"vigil/engine/series"
	"vigil/engine/tsdb/live"
)

// Past is the series by the check that wrote them last.
type Past struct {
	read func(ctx context.Context, h *live.Head, mint, maxt int64) ([]series.Point, error)

	mu sync.Mutex
	by map[string][]*live.Head
}

// New takes the series as they are now; read gives the points of one in (mint, maxt].
func New(r *live.Registry, read func(ctx context.Context, h *live.Head, mint, maxt int64) ([]series.Point, error)) *Past {
	return &Past{read: read, by: r.Written()}
}

// Names are the checks that wrote any, sorted.
func (p *Past) Names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.by))
}

// Standing hands over the series that a check wrote and that have not ended, but for
// those that another check has written since and those that there says are there. It
// blocks on disk; each check is answered once.
func (p *Past) Standing(ctx context.Context, check string, there func(fingerprint uint64) bool) (out []series.Labels) {
	p.mu.Lock()
	heads := p.by[check]
	delete(p.by, check)
	p.mu.Unlock()
	for _, h := range heads {
		if h.Gone.Load() || !h.WrittenBy(check) || there(h.Fingerprint()) || p.ended(ctx, h) {
			continue
		}
		out = append(out, h.Key.Labels())
	}
	return out
}

// ended says whether the last sample is a stale marker. Of what cannot be read that is
// not known: one marker more does no harm.
func (p *Past) ended(ctx context.Context, h *live.Head) bool {
	mint, maxt := int64(math.MinInt64), int64(math.MaxInt64)
	if newest := h.Newest.Load(); newest != mint {
		mint, maxt = newest-1, newest
	}
	ps, err := p.read(ctx, h, mint, maxt)
	return err == nil && len(ps) > 0 && series.IsStale(ps[len(ps)-1].V)
}
