package ledger_test

import (
	"context"

	"vigil/engine"
)

func (r *rig) desired() *engine.DesiredSnapshot {
	r.Helper()
	s, err := r.Desired(context.Background())
	if err != nil {
		r.Fatalf("desired: %v", err)
	}
	return s
}

func (r *rig) put(d engine.DesiredDecision) {
	r.Helper()
	r.commit(&engine.Decision{Desired: &d})
}
