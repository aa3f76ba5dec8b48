package desired

import (
	"context"
	"regexp"
	"time"

	"vigil/engine"
)

// contentKept is how long bytes that nothing names stay: a step is queued within
// moments of its bytes being kept, and a person may ask what stood there before.
const (
	contentKept = 24 * time.Hour
	sweepEvery  = 6 * time.Hour
)

// sweep removes the bytes of files that no step, and no way back of one, names any
// more, until ctx ends.
func (d *Desired) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s, err := d.Ledger.Desired(ctx)
		if err == nil {
			named := namedContents(s)
			var n int
			if n, err = d.Set.Contents().Sweep(contentKept, d.Clock().Time(), func(sum string) bool { return named[sum] }); n > 0 {
				d.Log.Info("contents that nothing names any more were removed", "contents", n)
			}
		}
		if err != nil && ctx.Err() == nil {
			d.Log.Error("old contents cannot be removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

var sum = regexp.MustCompile(`[0-9a-f]{64}`)

// namedContents is every sum that stands in a step under way or in the journal:
// as a parameter, whatever its name.
func namedContents(s *engine.DesiredSnapshot) map[string]bool {
	named := map[string]bool{}
	var take func(v any)
	take = func(v any) {
		switch v := v.(type) {
		case string:
			for _, x := range sum.FindAllString(v, -1) {
				named[x] = true
			}
		case map[string]any:
			for _, x := range v {
				take(x)
			}
		case []any:
			for _, x := range v {
				take(x)
			}
		}
	}
	for _, u := range s.Undo {
		take(u.With)
	}
	for _, r := range s.Active {
		for _, rung := range r.Plan.Ladder {
			take(rung.With)
		}
	}
	return named
}
