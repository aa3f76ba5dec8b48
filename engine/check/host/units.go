package host

import (
	"context"
	"errors"
	"time"

	"vigil/engine/check/bus"
	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// units asks systemd which units have failed. That is one small answer; the
// list of all units would be hundreds of rows each round.
type units struct {
	bus    Units
	count  series.Labels
	state  *kernel.Vec
	failed map[string]series.Labels // told as 1 in the round before
}

func newUnits(u Units) *units {
	return &units{bus: u, failed: map[string]series.Labels{},
		count: series.New(series.Label{Name: series.NameLabel, Value: "node_systemd_units"}, series.Label{Name: "state", Value: "failed"}),
		state: kernel.NewVec("node_systemd_unit_state", "name", "state")}
}

func (u *units) Names() []string { return []string{u.count.Name(), u.state.Name} }

// maxFailedUnits bounds the series of units told by name; all are counted.
const maxFailedUnits = 200

// collect tells each failed unit by name; one that has recovered is told as 0
// once, so that a policy sees it end rather than vanish.
func (u *units) Collect(ctx context.Context, r *kernel.Round) error {
	if u.bus == nil {
		return kernel.ErrAbsent
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	list, err := u.bus.Failed(ctx)
	if errors.Is(err, bus.ErrAbsent) {
		return kernel.ErrAbsent
	}
	if err != nil {
		return err
	}
	r.Emit(u.count, float64(len(list)))
	now := make(map[string]series.Labels, len(list))
	for i, unit := range list {
		if i == maxFailedUnits {
			break
		}
		ls := u.state.At([]byte(unit.Name), []byte("failed"))
		now[unit.Name] = ls
		r.Emit(ls, 1)
	}
	for name, ls := range u.failed {
		if now[name] == nil {
			r.Emit(ls, 0)
		}
	}
	u.failed = now
	return nil
}
