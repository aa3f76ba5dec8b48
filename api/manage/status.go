package manage

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/api/meter"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

func (m *Manage) status(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/status", guard.Read, "getStatus", "The host and its daemon in a few lines", "system", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.Status], error) {
			now := m.Clock()
			up, _ := now.Sub(m.Started)
			reasons, degraded := m.Ready()
			st := m.Engine.Stats()
			out := contract.Status{
				Node: m.Node, Version: m.Version, Started: contract.Time(m.Started), Uptime: up.Seconds(), HostUptime: float64(now.Boot) / 1e9,
				Ready: len(reasons) == 0, Reasons: face.List(reasons), Degraded: face.List(degraded), Auth: m.Auth,
				Policies: st.Policies, Instances: st.Instances, Firing: st.Firing, Pending: st.Pending, Lag: st.LagSeconds,
				Actions: map[string]int{}, Holds: m.wireHolds(""), Samples: m.Ingested(), Checks: m.checks(),
			}
			counts, err := m.Reader.Counts(ctx, clock.Stamp{})
			if err != nil {
				return nil, err
			}
			for s, n := range counts {
				out.Actions[string(s)] = n
			}
			return face.Say(out)
		})
}

// Measure tells the engine's figures and the queue's, under our names and the
// original's.
func (m *Manage) Measure(emit func(meter.Figure)) {
	st := m.Engine.Stats()
	gauge := func(name, help string, v float64, labels ...string) {
		emit(meter.Figure{Name: name, Help: help, Value: v, Labels: labels})
	}
	counter := func(name, help string, v float64, labels ...string) {
		emit(meter.Figure{Name: name, Help: help, Value: v, Labels: labels, Counter: true})
	}
	gauge("vigil_policies", "Policies in force.", float64(st.Policies))
	gauge("vigil_instances", "Instances of policies, one a matched series.", float64(st.Instances))
	gauge("vigil_firings", "Instances by state.", float64(st.Firing), "state", "firing")
	gauge("vigil_firings", "Instances by state.", float64(st.Pending), "state", "pending")
	counter("vigil_evaluations_total", "Evaluations of instances.", float64(st.Evaluations))
	gauge("vigil_evaluation_queue", "Watched samples that wait for evaluation.", float64(st.Queue))
	gauge("vigil_evaluation_queue_limit", "Watched samples that may wait.", float64(st.QueueCap))
	gauge("vigil_evaluation_lag_seconds", "Age of the oldest sample that waits.", st.LagSeconds)
	counter("vigil_samples_late_total", "Samples stored and not windowed, since newer ones were evaluated.", float64(st.Late))
	counter("vigil_samples_refused_total", "Samples refused by the engine.", float64(st.Refused))
	counter("vigil_decisions_total", "Decisions committed.", float64(st.Decisions))
	counter("vigil_commit_errors_total", "Commits that failed.", float64(st.CommitErrors))
	gauge("vigil_window_bytes", "Most that all windows may hold.", float64(st.WindowBytes))
	gauge("vigil_unnamed_selectors", "Policies whose selector names no metric.", float64(st.UnnamedSelectors))
	gauge("vigil_holds", "Pauses, silences, maintenance windows and hands-off that stand.", float64(len(m.Engine.Holds())))

	ctx, cancel := context.WithTimeout(context.Background(), readFor)
	defer cancel()
	m.acts.look(ctx, m.Reader)
	m.acts.each(func(k act, n float64) {
		counter("actions_total", "Statuses that actions took since the start.", n, "target", k.target, "action", k.action, "status", k.status)
	})
	counts, err := m.Reader.Counts(ctx, clock.Stamp{})
	if err != nil {
		return
	}
	total := 0
	for s, n := range counts {
		total += n
		gauge("vigil_remediations", "Remediations by state.", float64(n), "state", string(s))
	}
	waiting := depth(counts)
	gauge("queue_length", "Remediations that wait.", float64(waiting))
	gauge("worker_active", "Whether a remediation runs now.", float64(min(1, counts[remedy.Running]+counts[remedy.Verifying])))
	counter("queue_operations_total", "Remediations queued, and taken from the queue.", float64(total), "operation", "enqueue")
	counter("queue_operations_total", "Remediations queued, and taken from the queue.", float64(total-waiting), "operation", "dequeue")
	for _, w := range []string{"completed", "failed"} {
		n := 0
		for s, c := range counts {
			if s.Word() == w {
				n += c
			}
		}
		counter("worker_tasks_total", "Remediations that ended.", float64(n), "status", w)
	}
}
