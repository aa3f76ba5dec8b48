package check

import (
	"context"

	"vigil/engine/series"
)

// Past is what checks measured before vigild was started: what is gone since then is
// ended as it would have been. Concurrent.
type Past interface {
	// Names are the checks that measured anything.
	Names() []string
	// Standing hands over, once, the series of a check that have not ended, without
	// those that there says are there. It blocks on disk.
	Standing(ctx context.Context, check string, there func(fingerprint uint64) bool) []series.Labels
}

// remember begins with the past; the lock is held.
func (r *Runner) remember() {
	if r.deps.Past == nil {
		return
	}
	r.past, r.unasked = r.deps.Past(), map[string]bool{}
	for _, name := range r.past.Names() {
		r.unasked[name] = true
	}
	if r.complete {
		r.disown()
	}
}

// Complete says that every source of checks has been heard: what measured before this
// start and is not among the checks now is gone, and its series are ended.
func (r *Runner) Complete() {
	r.mu.Lock()
	r.complete = true
	r.disown()
	r.mu.Unlock()
	r.look()
}

// disown has the series ended that no check would ask for; the lock is held.
func (r *Runner) disown() {
	for name := range r.unasked {
		if r.jobs[name] == nil {
			r.ended = append(r.ended, newJob(Definition{Name: name}))
		}
	}
}

// recall gives a job, once, the series that stood under its name when vigild stopped
// and that it has not measured since.
func (r *Runner) recall(ctx context.Context, j *job) {
	r.mu.Lock()
	asks := r.unasked[j.def.Name]
	delete(r.unasked, j.def.Name)
	r.mu.Unlock()
	if !asks {
		return
	}
	there := make(map[uint64]bool, len(j.kept))
	for _, k := range j.kept {
		there[k.labels.Fingerprint()] = true
	}
	for _, ls := range r.past.Standing(ctx, j.def.Name, func(fp uint64) bool { return there[fp] }) {
		if j.inherited == nil {
			j.inherited = map[uint64]series.Labels{}
		}
		j.inherited[ls.Fingerprint()] = ls
	}
}
