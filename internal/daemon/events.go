package daemon

import (
	"context"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/tsdb"
)

// storeEvents writes what the store found at its start and since (damage that
// was moved aside, a gap, a step of the clock) into the audit chain, so that no
// gap is silent. What could not be written is tried again.
func (h *house) storeEvents(ctx context.Context) error {
	tick := time.NewTicker(h.d.cfg.Self.Every.Std())
	defer tick.Stop()
	var waiting []tsdb.Event
	for {
		waiting = append(waiting, h.store.Events()...)
		if len(waiting) > 0 {
			if err := h.auditEvents(ctx, waiting); err != nil {
				h.d.log.Error("events of the store are not in the audit yet", "events", len(waiting), "err", err)
			} else {
				waiting = nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *house) auditEvents(ctx context.Context, events []tsdb.Event) error {
	now := h.d.clock()
	d := &engine.Decision{At: now}
	for _, e := range events {
		evidence := audit.Evidence(map[string]string{"kind": e.Kind, "place": e.Place, "detail": e.Detail})
		d.Audit = append(d.Audit, audit.Record{
			At: now, Actor: "vigild", Verb: "store." + e.Kind, Object: "store:samples", Reason: e.Place + ": " + e.Detail, Evidence: evidence,
		})
	}
	_, err := h.ledger.Commit(ctx, d)
	return err
}
