package manage

import (
	"context"
	"strconv"
	"sync"
	"time"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// history is the queue's depth over the last five minutes.
type history struct {
	mu      sync.Mutex
	moments []contract.QueueMoment
}

const (
	historyEvery = 5 * time.Second
	historyKeep  = 60
)

func (h *history) add(m contract.QueueMoment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.moments) == historyKeep {
		copy(h.moments, h.moments[1:])
		h.moments = h.moments[:historyKeep-1]
	}
	h.moments = append(h.moments, m)
}

func (h *history) copy() []contract.QueueMoment {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]contract.QueueMoment{}, h.moments...)
}

// Run keeps the queue's history until ctx ends.
func (m *Manage) Run(ctx context.Context) {
	tick := time.NewTicker(historyEvery)
	defer tick.Stop()
	for {
		if counts, err := m.Reader.Counts(ctx, clock.Stamp{}); err == nil {
			m.history.add(contract.QueueMoment{Time: contract.Time(m.Clock()), Depth: depth(counts)})
		}
		m.acts.look(ctx, m.Reader)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// queueName is what the original called its list.
const queueName = "remediation_queue"

func depth(c map[remedy.State]int) int { return c[remedy.Queued] + c[remedy.Held] }

func (m *Manage) queue(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/queue/status", guard.Read, "getQueueStatus", "The queue of remediations", "queue", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.QueueStatus], error) {
			q, err := m.queueStatus(ctx)
			if err != nil {
				return nil, err
			}
			return face.Say(q)
		})
	face.Handle(r, face.Line("GET", "/api/v1/queue/stats", guard.Read, "getQueueStats", "The queue, flat and under `queue`", "queue", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.QueueStats], error) {
			q, err := m.queueStatus(ctx)
			if err != nil {
				return nil, err
			}
			return face.Say(contract.QueueStats{OK: true, QueueStatus: q, Queue: q})
		})
	face.Handle(r, face.Line("GET", "/api/v1/queue/health", guard.Read, "getQueueHealth", "Whether the queue can be read", "queue", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.QueueHealth], error) {
			h := contract.QueueHealth{Status: "unhealthy", Service: "queue"}
			if c, err := m.Reader.Counts(ctx, clock.Stamp{}); err == nil {
				h.Status, h.RedisConnected, h.QueueDepth = "healthy", true, depth(c)
				if reasons, degraded := m.Ready(); len(reasons)+len(degraded) > 0 {
					h.Status = "degraded"
				}
			}
			return face.Say(h)
		})
}

// queueDebug is the two routes that the original had for looking inside.
func (m *Manage) queueDebug(r *face.Registrar) {
	face.Handle(r, face.Line("POST", "/api/v1/queue/record-history", guard.Operate, "recordQueueHistory", "Take the queue's depth into its history now", "queue", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.QueueRecorded], error) {
			counts, err := m.Reader.Counts(ctx, clock.Stamp{})
			if err != nil {
				return nil, err
			}
			at := contract.QueueMoment{Time: contract.Time(m.Clock()), Depth: depth(counts)}
			m.history.add(at)
			return face.Say(contract.QueueRecorded{OK: true, Message: "History recorded", QueueMoment: at})
		})
	face.Handle(r, face.Line("GET", "/api/v1/queue/debug/tasks", guard.Read, "listQueuedTasks", "What waits, newest first", "queue", 0),
		func(ctx context.Context, _ guard.Caller, in *struct {
			Limit int `query:"limit" minimum:"1" maximum:"500" default:"100"`
		}) (*face.Reply[contract.QueueTasks], error) {
			xs, total, err := m.Reader.Remediations(ctx, engine.RemediationFilter{Word: "pending", Limit: in.Limit})
			if err != nil {
				return nil, err
			}
			out := contract.QueueTasks{OK: true, QueueName: queueName, QueueLength: total, Tasks: make([]contract.Action, len(xs))}
			for i, x := range xs {
				out.Tasks[i] = wireAction(x)
			}
			return face.Say(out)
		})
}

func (m *Manage) queueStatus(ctx context.Context) (contract.QueueStatus, error) {
	counts, err := m.Reader.Counts(ctx, clock.Stamp{})
	if err != nil {
		return contract.QueueStatus{}, err
	}
	q := contract.QueueStatus{
		QueueName: queueName, QueueDepth: depth(counts), QueueLength: depth(counts),
		Completed: counts[remedy.Succeeded], History: m.history.copy(), States: map[string]int{}, SuccessRate: 100,
	}
	for s, n := range counts {
		q.States[string(s)] = n
		q.TasksEnqueued += n
		if s.Word() == "failed" {
			q.Failed += n
		}
	}
	q.TasksDequeued = q.TasksEnqueued - q.QueueDepth
	q.TasksCompleted, q.TasksFailed = q.Completed, q.Failed
	if ended := q.Completed + q.Failed; ended > 0 {
		q.SuccessRate = 100 * float64(q.Completed) / float64(ended)
	}
	last, _, err := m.Reader.Remediations(ctx, engine.RemediationFilter{States: finished, Limit: 1})
	if err != nil {
		return q, err
	}
	if len(last) == 1 {
		at := last[0].Finished
		if at.IsZero() {
			at = last[0].AttemptEnd
		}
		q.LastProcessedTask = &contract.QueueTask{TaskID: strconv.FormatInt(last[0].ID, 10), ActionID: last[0].ID,
			Target: last[0].Target, Timestamp: contract.Time(at)}
	}
	return q, nil
}

var finished = []remedy.State{remedy.Succeeded, remedy.Failed, remedy.GaveUp, remedy.Indeterminate}
