package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"vigil/api/meter"
	"vigil/engine/check"
	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/series"
	"vigil/internal/daemon/desired"
	"vigil/internal/daemon/pulse"
)

// self tells vigild's own figures as series, so that policies may watch vigild.
// They are the figures of /metrics, under the same names.
type self struct {
	clock    clock.Clock
	log      *slog.Logger
	ingest   func(context.Context, *series.Batch) error
	every    time.Duration
	cpus     int
	sources  []meter.Source
	answered atomic.Int64 // boot ns of the newest beat that the store answered: it makes progress
}

// nameCPUs is how many processors the host has, which load is measured by.
const nameCPUs = "vigil_host_cpus"

// run tells until ctx ends, the first time at once.
func (s *self) run(ctx context.Context) error {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var b series.Batch
	for {
		s.beat(ctx, &b)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *self) beat(ctx context.Context, b *series.Batch) {
	now := s.clock()
	b.Reset()
	b.Received, b.Own = now.Millis(), true
	b.Add(series.FromMap(nameCPUs, nil), now.Millis(), float64(s.cpus))
	for _, source := range s.sources {
		source(func(f meter.Figure) {
			ls := make([]series.Label, 0, 1+len(f.Labels)/2)
			ls = append(ls, series.Label{Name: series.NameLabel, Value: f.Name})
			for i := 0; i+1 < len(f.Labels); i += 2 {
				ls = append(ls, series.Label{Name: f.Labels[i], Value: f.Labels[i+1]})
			}
			b.Add(series.New(ls...), now.Millis(), f.Value)
		})
	}
	err := s.ingest(ctx, b)
	s.answered.Store(now.Boot)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("own series were not stored", "err", err)
	}
}

// localNames are the metric names that only this host's own measuring may
// write, so that nobody can push them.
func localNames() []string {
	names := append(check.Names(), append(pulse.Names(), nameCPUs)...)
	h := &house{}
	for _, f := range h.figures() {
		names = append(names, f.names...)
	}
	return names
}

// figure is one room's figures with the names that it can tell.
type figure struct {
	names []string
	tell  meter.Source
}

// gauge and counter shorten the tables below.
func gauge(name, help string, v float64, labels ...string) meter.Figure {
	return meter.Figure{Name: name, Help: help, Labels: labels, Value: v}
}

func counter(name, help string, v uint64, labels ...string) meter.Figure {
	return meter.Figure{Name: name, Help: help, Labels: labels, Value: float64(v), Counter: true}
}

// sources is every room's figures.
func (h *house) sources() []meter.Source {
	var out []meter.Source
	for _, f := range h.figures() {
		out = append(out, f.tell)
	}
	return out
}

// figures lists the rooms that tell figures, each with all names it may use.
func (h *house) figures() []figure {
	return []figure{
		{engineNames, h.engineFigures},
		{storeNames, h.storeFigures},
		{ledgerNames, h.ledgerFigures},
		{workerNames, h.workerFigures},
		{checkNames, h.checkFigures},
		{processNames, h.processFigures},
		{folderNames, h.folderFigures},
		{desired.FigureNames(), h.desired.Figures},
	}
}

var engineNames = []string{
	"vigil_policies", "vigil_instances", "vigil_firing", "vigil_pending", "vigil_evaluations_total", "vigil_evaluation_queue",
	"vigil_evaluation_queue_capacity", "vigil_evaluation_lag_seconds", "vigil_samples_late_total", "vigil_samples_refused_total",
	"vigil_decisions_total", "vigil_commit_errors_total", "vigil_window_bytes", "vigil_unnamed_selectors",
}

func (h *house) engineFigures(emit func(meter.Figure)) {
	s := h.engine.Stats()
	emit(gauge("vigil_policies", "Policies in force.", float64(s.Policies)))
	emit(gauge("vigil_instances", "Series under a policy.", float64(s.Instances)))
	emit(gauge("vigil_firing", "Instances that fire.", float64(s.Firing)))
	emit(gauge("vigil_pending", "Instances that are about to fire.", float64(s.Pending)))
	emit(counter("vigil_evaluations_total", "Looks at an instance.", s.Evaluations))
	emit(gauge("vigil_evaluation_queue", "Watched samples that wait to be judged.", float64(s.Queue)))
	emit(gauge("vigil_evaluation_queue_capacity", "Watched samples that may wait.", float64(s.QueueCap)))
	emit(gauge("vigil_evaluation_lag_seconds", "Age of the oldest sample that waits to be judged.", s.LagSeconds))
	emit(counter("vigil_samples_late_total", "Samples stored but too late for their window.", s.Late))
	emit(counter("vigil_samples_refused_total", "Samples refused by the engine.", s.Refused))
	emit(counter("vigil_decisions_total", "Decisions committed.", s.Decisions))
	emit(counter("vigil_commit_errors_total", "Decisions that could not be committed and were taken again.", s.CommitErrors))
	emit(gauge("vigil_window_bytes", "Memory of all windows.", float64(s.WindowBytes)))
	emit(gauge("vigil_unnamed_selectors", "Selectors without a metric name.", float64(s.UnnamedSelectors)))
}

var workerNames = []string{
	"vigil_worker_capacity", "vigil_worker_busy", "vigil_worker_verifying", "vigil_gate_verdicts_total", "vigil_acts_total",
	"vigil_act_seconds_total", "vigil_verifications_total", "vigil_start_failures_total", "vigil_worker_errors_total", "vigil_remediations",
}

func (h *house) workerFigures(emit func(meter.Figure)) {
	s := h.worker.Stats()
	emit(gauge("vigil_worker_capacity", "Acts that may run at one time.", float64(s.Workers)))
	emit(gauge("vigil_worker_busy", "Remediations being worked at.", float64(s.Busy)))
	emit(gauge("vigil_worker_verifying", "Remediations being verified.", float64(s.Verifying)))
	for _, k := range sorted2(s.Verdicts) {
		emit(counter("vigil_gate_verdicts_total", "Answers of the gates.", s.Verdicts[k], "gate", k[0], "answer", k[1]))
	}
	for _, k := range sorted2(s.Acts) {
		emit(counter("vigil_acts_total", "Acts, by kind and end.", s.Acts[k], "kind", k[0], "result", k[1]))
	}
	emit(meter.Figure{Name: "vigil_act_seconds_total", Help: "Time spent in acts.", Value: s.ActSeconds, Counter: true})
	for _, k := range slices.Sorted(maps.Keys(s.Verified)) {
		emit(counter("vigil_verifications_total", "Verifications, by end.", s.Verified[k], "result", k))
	}
	emit(counter("vigil_start_failures_total", "Acts that could not be started.", s.StartFailed))
	emit(counter("vigil_worker_errors_total", "Errors of the ledger and the judge, conflicts included.", s.Errors))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if counts, err := h.ledger.Counts(ctx, clock.Stamp{}); err == nil {
		for _, st := range []remedy.State{remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying, remedy.GaveUp, remedy.Refused, remedy.Indeterminate, remedy.Succeeded, remedy.Failed, remedy.Cancelled} {
			emit(gauge("vigil_remediations", "Remediations kept, by state.", float64(counts[st]), "state", string(st)))
		}
	}
}

func sorted2(m map[[2]string]uint64) [][2]string {
	return slices.SortedFunc(maps.Keys(m), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
}

var checkNames = []string{
	"vigil_checks", "vigil_checks_in_flight", "vigil_check_runs_total", "vigil_check_failures_total", "vigil_check_overruns_total",
	"vigil_check_samples_total", "vigil_check_samples_refused_total", "vigil_check_batches_lost_total", "vigil_stuck_filesystems",
}

func (h *house) checkFigures(emit func(meter.Figure)) {
	s := h.checks.Stats()
	emit(gauge("vigil_checks", "Checks, the host collector included.", float64(s.Checks)))
	emit(gauge("vigil_checks_in_flight", "Checks measuring now.", float64(s.InFlight)))
	emit(counter("vigil_check_runs_total", "Rounds of checks.", s.Runs))
	emit(counter("vigil_check_failures_total", "Rounds that could not measure.", s.Failures))
	emit(counter("vigil_check_overruns_total", "Ticks that found the round before still running.", s.Overruns))
	emit(counter("vigil_check_samples_total", "Samples of checks that were stored.", s.Samples))
	emit(counter("vigil_check_samples_refused_total", "Samples of checks that were refused.", s.Refused))
	emit(counter("vigil_check_batches_lost_total", "Batches of checks that could not be stored.", s.SinkErrors))
	emit(gauge("vigil_stuck_filesystems", "File systems whose answer is still awaited.", float64(s.StuckFilesystems)))
}

var folderNames = []string{"vigil_documents", "vigil_documents_ok"}

func (h *house) folderFigures(emit func(meter.Figure)) {
	s := h.folder.State()
	ok := 1.0
	if s.Err != nil {
		ok = 0
	}
	emit(gauge("vigil_documents", "Documents of the policy folders in force.", float64(s.Documents)))
	emit(gauge("vigil_documents_ok", "0 when the newest content of the folders is not in force.", ok))
}
