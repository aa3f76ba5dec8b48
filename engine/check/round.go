package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vigil/engine/check/probe"
	"vigil/engine/check/procs"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// retryPause is the rest between two tries of one round.
const retryPause = 200 * time.Millisecond

// outcome is how a round went.
type outcome struct {
	err   error
	down  bool // err says that the thing is not as asked, not that it could not be measured
	grace bool
	full  bool // series over the cap were left out
	took  time.Duration
	at    clock.Stamp
}

// round measures once and sinks what came of it.
func (r *Runner) round(ctx context.Context, j *job) {
	defer r.landed(j)
	b := r.batches.Get().(*series.Batch)
	defer r.batches.Put(b)
	r.mu.Lock()
	inactive := j.state == StateInactive
	r.mu.Unlock()
	if inactive {
		r.recall(ctx, j)
		r.header(j, b)
		j.endAll(b)
		if !r.sink(ctx, b) {
			j.owe()
		}
		return
	}
	o := r.attempt(ctx, j, b)
	if ctx.Err() != nil {
		return // the daemon stops: a round cut short says nothing about the host
	}
	r.note(j, o)
	if j.def.warm == 0 || j.runs > 1 { // else the rates are still to come
		r.recall(ctx, j)
	}
	j.tell(b, o, r.cfg.Checks.MaxSeries)
	r.mu.Lock()
	j.told = j.count
	removed := j.removed
	r.mu.Unlock()
	if !removed && !r.sink(ctx, b) { // removed ones are ended or handed over when they land
		j.owe()
	}
}

// header empties the batch, stamps it and says whose it is.
func (r *Runner) header(j *job, b *series.Batch) clock.Stamp {
	at := r.deps.Clock()
	b.Reset()
	b.Own, b.Token, b.Received = true, j.def.Name, at.Millis()
	return at
}

// attempt measures, again where the check asks for retries; the samples of the
// last try are those that count.
func (r *Runner) attempt(ctx context.Context, j *job, b *series.Batch) (o outcome) {
	for try := 0; ; try++ {
		o = outcome{at: r.header(j, b)}
		j.turn++
		began := time.Now()
		tctx, cancel := context.WithTimeout(ctx, j.def.timeout)
		o.err = j.def.check.Collect(tctx, func(ls series.Labels, v float64) {
			o.full = !j.emit(b, ls, v, r.cfg.Checks.MaxSeries) || o.full
		})
		if o.err != nil && ctx.Err() == nil && errors.Is(tctx.Err(), context.DeadlineExceeded) {
			o.err = fmt.Errorf("no answer within %v: %w", j.def.timeout, o.err)
		}
		cancel()
		o.took = time.Since(began)
		var d probe.Down
		o.down = errors.As(o.err, &d)
		if o.full && o.err == nil {
			o.err = fmt.Errorf("more than %d series: the rest was left out", r.cfg.Checks.MaxSeries)
		}
		if o.err == nil || try >= j.def.retries || !pause(ctx, retryPause) {
			break
		}
	}
	o.grace = o.err != nil && j.def.grace > 0 && r.young(j)
	return o
}

// pause waits, and says whether it waited to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// young says whether the process that the check is about, or else the host, began
// less than start_grace ago. A process that is not there is not young: it is down.
func (r *Runner) young(j *job) bool {
	if j.def.startedBy == nil {
		return time.Duration(r.deps.Clock().Boot) < j.def.grace
	}
	age, found, err := procs.Age(r.cfg.Host.Proc, j.def.startedBy)
	return err == nil && found && age < j.def.grace
}

// emit puts one sample into the batch; false says that the check has too many
// series.
func (j *job) emit(b *series.Batch, ls series.Labels, v float64, limit int) bool {
	fp := ls.Fingerprint()
	k := j.kept[fp]
	if k == nil {
		if len(j.kept) >= limit {
			return false
		}
		k = &kept{labels: ls}
		if len(j.def.labels) > 0 {
			k.labels = series.New(append(append([]series.Label{}, j.def.labels...), ls...)...)
		}
		j.kept[fp] = k
		delete(j.inherited, k.labels.Fingerprint())
	} else if k.turn == j.turn {
		return true // told twice in one round: the first stands
	}
	k.turn = j.turn
	b.Add(k.labels, b.Received, v)
	return true
}

// tell adds the standard samples and ends the series that vanished. Down is not
// told while the process is young: no sample is unknown, which is the truth.
func (j *job) tell(b *series.Batch, o outcome, limit int) {
	limit += 8 // the standard series are always let in
	j.ending = j.ending[:0]
	if o.grace {
		j.emit(b, j.std.grace, 1, limit)
	} else {
		up := 0.0
		if o.err == nil {
			up = 1
		}
		j.emit(b, j.std.up, up, limit)
		if j.def.grace > 0 {
			j.emit(b, j.std.grace, 0, limit)
		}
	}
	j.emit(b, j.std.took, o.took.Seconds(), limit)
	j.emit(b, j.std.errors, float64(j.failures), limit)
	if !j.success.IsZero() {
		j.emit(b, j.std.age, time.Since(j.success).Seconds(), limit)
	}
	j.count = len(b.Items)
	if o.err != nil && j.def.keepOnFail {
		return
	}
	if len(j.kept) > j.count {
		for fp, k := range j.kept {
			if k.turn != j.turn {
				j.end(b, k.labels)
				delete(j.kept, fp)
			}
		}
	}
	for fp, ls := range j.inherited {
		if j.success.IsZero() && ls.Name() == nameAge {
			continue // it is of a success before this job began, which is no longer known
		}
		j.end(b, ls)
		delete(j.inherited, fp)
	}
}

func (j *job) end(b *series.Batch, ls series.Labels) {
	b.Add(ls, b.Received, series.Stale())
	j.ending = append(j.ending, ls)
}

// owe keeps the ends that the sink did not take for the next round.
func (j *job) owe() {
	if len(j.ending) > 0 && j.inherited == nil {
		j.inherited = map[uint64]series.Labels{}
	}
	for _, ls := range j.ending {
		j.inherited[ls.Fingerprint()] = ls
	}
}

// endAll ends every series of the job.
func (j *job) endAll(b *series.Batch) {
	j.ending = j.ending[:0]
	for _, k := range j.kept {
		j.end(b, k.labels)
	}
	for _, ls := range j.inherited {
		j.end(b, ls)
	}
	clear(j.kept)
	j.inherited, j.count = nil, 0
}

// finish ends the series of a job that was removed while it did not fly.
func (r *Runner) finish(ctx context.Context, j *job) {
	b := r.batches.Get().(*series.Batch)
	defer r.batches.Put(b)
	r.mu.Lock()
	stays := r.jobs[j.def.Name] != nil
	r.mu.Unlock()
	if !stays {
		r.recall(ctx, j)
	}
	r.header(j, b)
	j.endAll(b)
	r.sink(ctx, b)
}

// note keeps how a round went, for people and for the next samples.
func (r *Runner) note(j *job, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs.Add(1)
	j.runs++
	j.took, j.when, j.reason = o.took, o.at, ""
	switch {
	case o.err == nil:
		j.last, j.success, j.wentWell = StateUp, time.Now(), o.at
	case o.down:
		j.last = StateDown
	default:
		j.last = StateError
		j.failures++
		r.failures.Add(1)
	}
	if o.err != nil {
		j.reason = clip(o.err.Error())
	}
	if o.grace {
		j.last = StateGrace
	}
	if j.last != j.state && !(j.state == StatePending && j.last == StateUp) {
		r.deps.Log.Info("check changed", "check", j.def.Name, "kind", j.def.Kind, "from", string(j.state), "to", string(j.last), "reason", j.reason)
	}
	j.state = j.last
}

// sink hands a batch over and says whether it was taken. What is refused is
// counted, and said once.
func (r *Runner) sink(ctx context.Context, b *series.Batch) bool {
	if len(b.Items) == 0 {
		return true
	}
	offered := len(b.Items)
	err := r.deps.Sink(ctx, b)
	if err != nil {
		r.sinkErrors.Add(1)
	} else {
		taken := b.Accepted()
		r.samples.Add(uint64(taken))
		r.refused.Add(uint64(max(0, offered-taken)))
	}
	r.mu.Lock()
	changed := r.sinkDown != (err != nil)
	r.sinkDown = err != nil
	r.mu.Unlock()
	if changed && err != nil && ctx.Err() == nil {
		r.deps.Log.Warn("what checks measured is not taken", "err", err)
	} else if changed && err == nil {
		r.deps.Log.Info("what checks measured is taken again")
	}
	return err == nil
}
