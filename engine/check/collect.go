package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"vigil/engine/series"
)

// Collect measures everything once, rates included, and hands every sample to
// emit, sorted by check. It blocks for about a second more than the slowest
// check and is not for use beside Run. The error joins what could not be
// measured or is down; the samples are good all the same.
func (r *Runner) Collect(ctx context.Context, emit Emit) error {
	r.mu.Lock()
	jobs := make([]*job, 0, len(r.jobs))
	for _, j := range r.jobs {
		jobs = append(jobs, j)
	}
	r.mu.Unlock()
	slices.SortFunc(jobs, func(a, b *job) int { return strings.Compare(a.def.Name, b.def.Name) })

	type result struct {
		batch series.Batch
		err   error
	}
	results := make([]result, len(jobs))
	slots := make(chan struct{}, r.cfg.Checks.MaxInFlight)
	var all sync.WaitGroup
	for i, j := range jobs {
		all.Add(1)
		go func() {
			defer all.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			b := &results[i].batch
			if j.def.warm > 0 {
				r.attempt(ctx, j, b)
				pause(ctx, j.def.warm)
			}
			o := r.attempt(ctx, j, b)
			r.note(j, o)
			j.tell(b, o, r.cfg.Checks.MaxSeries)
			if o.err != nil {
				results[i].err = fmt.Errorf("%s: %w", j.def.Name, o.err)
			}
		}()
	}
	all.Wait()
	var errs []error
	for i := range results {
		b := &results[i].batch
		for _, it := range b.Items {
			ls, err := series.ParseKey(it.Key)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if v := b.Points[it.Lo].V; !series.IsStale(v) {
				emit(ls, v)
			}
		}
		errs = append(errs, results[i].err)
	}
	return errors.Join(errs...)
}
