package check

import (
	"context"
	"time"

	"vigil/engine/check/probe"
	"vigil/engine/check/schedule"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// Host is the name and kind of vigild's own measuring of the host.
const Host = "host"

// warmAfter is when the host is measured a second time, so that rates are there
// within the first seconds.
const warmAfter = time.Second

// SetChecks makes the checks exactly these, beside the host's own. A check whose
// definition is the same keeps its schedule and its state; one that changed
// begins anew and takes over its series; the series of one that is gone are
// ended. A name given twice is refused and nothing is changed.
func (r *Runner) SetChecks(defs []Definition) error {
	want := map[string]Definition{}
	if r.host != nil {
		want[Host] = r.hostDefinition()
	}
	var is fault.Issues
	for _, d := range defs {
		if old, twice := want[d.Name]; twice {
			is.Add(d.Place, "there is another check named %q at %s", d.Name, old.Place)
			continue
		}
		if d.check == nil {
			is.Add(d.Place, "the check %q is not usable", d.Name)
			continue
		}
		want[d.Name] = d
	}
	if err := is.Err(); err != nil {
		return err
	}

	r.mu.Lock()
	now, wall := time.Now(), r.wall()
	for name, j := range r.jobs {
		d, stays := want[name]
		if stays && d.Digest == j.def.Digest {
			j.def.Owner, j.def.Place = d.Owner, d.Place
			delete(want, name)
			continue
		}
		delete(r.jobs, name)
		r.replace(j, d, stays, now, wall)
		delete(want, name)
	}
	for _, d := range want {
		r.add(newJob(d), now, wall)
	}
	r.queue.rebuild(r.jobs)
	r.mu.Unlock()
	r.look()
	return nil
}

// replace takes a job out, and puts its heir in where the check stays. While the
// old one flies its series are its own: the heir waits until it has landed.
func (r *Runner) replace(j *job, d Definition, stays bool, now, wall time.Time) {
	j.removed = true
	var heir *job
	if stays {
		heir = newJob(d)
		r.add(heir, now, wall)
	}
	flying := j.pred
	if j.flying {
		flying = j
	}
	if flying != nil {
		flying.heir = heir
	}
	switch {
	case heir != nil && flying != nil:
		heir.pred, heir.due = flying, now.Add(far)
	case heir != nil:
		heir.inherit(j)
	case flying == nil:
		r.ended = append(r.ended, j)
	}
}

// far is longer than any round may take.
const far = 24 * time.Hour

func (r *Runner) add(j *job, now, wall time.Time) {
	j.Plan = schedule.Start(j.def.schedule, j.def.Name, now, wall)
	j.due = j.First(now, wall)
	r.jobs[j.def.Name] = j
}

func (r *Runner) hostDefinition() Definition {
	every := r.cfg.Host.Every.Std()
	return Definition{
		Name: Host, Kind: Host, Owner: "builtin", Place: "[host]", Digest: 1,
		check:    hostProbe{r.host},
		schedule: schedule.Schedule{Every: every, Zone: time.UTC},
		timeout:  every,
		warm:     min(warmAfter, every),
	}
}

// hostProbe makes the collector a check.
type hostProbe struct {
	c interface {
		Collect(context.Context, func(series.Labels, float64)) error
	}
}

func (h hostProbe) Collect(ctx context.Context, emit probe.Emit) error { return h.c.Collect(ctx, emit) }

// watchUnits runs the checks that a unit concerns as soon as systemd tells that
// it changed. Without systemd, or when the connection breaks, the ticks remain.
func (r *Runner) watchUnits(ctx context.Context) {
	again := time.NewTicker(10 * time.Second)
	defer again.Stop()
	for ctx.Err() == nil {
		if r.anyConcerned() {
			// The error is not for the log: the bus logs what is worth it, and
			// each check tells by itself when it cannot measure.
			_ = r.bus.Watch(ctx, r.unitChanged)
		}
		select {
		case <-ctx.Done():
		case <-again.C:
		}
	}
}

func (r *Runner) anyConcerned() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if _, ok := j.def.check.(probe.Concerned); ok {
			return true
		}
	}
	return false
}

func (r *Runner) unitChanged(unit string) {
	r.mu.Lock()
	now := time.Now()
	for _, j := range r.jobs {
		if c, ok := j.def.check.(probe.Concerned); ok && c.Concerns(unit) {
			r.nudge(j, now)
		}
	}
	r.mu.Unlock()
	r.look()
}

// nudge makes a job due now, or shortly after its newest round; the lock is held.
func (r *Runner) nudge(j *job, now time.Time) {
	if j.flying || j.pred != nil {
		j.again = j.flying
		return
	}
	at := now
	if soonest := j.started.Add(nudgeGap); soonest.After(at) {
		at = soonest
	}
	if at.Before(j.due) {
		j.due, j.nudged = at, true
		r.queue.fix(j)
	}
}
