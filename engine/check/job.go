package check

import (
	"time"

	"vigil/engine/check/schedule"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// job is a definition that is being run. The plan and what stands below it are
// guarded by the runner's lock; kept and the samples' labels belong to the round
// that flies, or to the runner's lock while none does.
type job struct {
	def Definition
	schedule.Plan
	due      time.Time
	at       int // index in the queue
	flying   bool
	nudged   bool // due because a signal asked for it
	again    bool // a signal came while it flew
	removed  bool
	heir     *job      // takes over the series when this one, replaced in flight, lands
	started  time.Time // of the newest round
	success  time.Time // end of the newest round that succeeded
	runs     uint64
	failures uint64
	overruns uint64
	state    State // as told to people
	last     State // of the newest round
	reason   string
	took     time.Duration
	when     clock.Stamp // of the newest round
	wentWell clock.Stamp
	told     int  // series of the newest round
	pred     *job // still flies; this one, its heir, waits for it

	kept      map[uint64]*kept         // by fingerprint of what the check emitted
	inherited map[uint64]series.Labels // of before this job began: to be ended unless they come in the next round
	ending    []series.Labels          // ended in this round
	turn      uint64
	count     int
	std       standard
}

// kept is a series that the check has emitted and that has not been ended.
type kept struct {
	labels series.Labels // the check's own labels added
	turn   uint64        // of the newest round in which it was emitted
}

// standard is the series that every check has.
type standard struct {
	up, took, errors, age, grace series.Labels
}

// The names of the standard series.
const (
	nameUp     = "vigil_check_up"
	nameTook   = "vigil_check_duration_seconds"
	nameErrors = "vigil_check_errors_total"
	nameAge    = "vigil_check_last_success_age_seconds"
	nameGrace  = "vigil_check_in_grace"
)

func newJob(d Definition) *job {
	label := func(name string) series.Labels {
		return series.New(series.Label{Name: series.NameLabel, Value: name},
			series.Label{Name: "check", Value: d.Name}, series.Label{Name: "kind", Value: d.Kind})
	}
	return &job{def: d, at: -1, kept: map[uint64]*kept{}, state: StatePending, last: StatePending,
		std: standard{label(nameUp), label(nameTook), label(nameErrors), label(nameAge), label(nameGrace)}}
}

// inherit takes over the series of the job that this one replaces: those it does
// not emit in its first round are ended then.
func (j *job) inherit(old *job) {
	j.inherited = old.inherited
	if j.inherited == nil {
		j.inherited = map[uint64]series.Labels{}
	}
	for _, k := range old.kept {
		j.inherited[k.labels.Fingerprint()] = k.labels
	}
	old.kept, old.inherited = nil, nil
}
