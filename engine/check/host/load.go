package host

import (
	"context"
	"fmt"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// load reads /proc/loadavg.
type load struct {
	path string
	of   [3]series.Labels
}

func newLoad(cfg Config) *load {
	return &load{cfg.Proc + "/loadavg", [3]series.Labels{kernel.One("node_load1"), kernel.One("node_load5"), kernel.One("node_load15")}}
}

func (l *load) Names() []string { return kernel.LabelNames(l.of[:]...) }

func (l *load) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(l.path)
	if err != nil {
		return err
	}
	for _, ls := range l.of {
		v, rest, ok := kernel.Next(b)
		if !ok {
			return fmt.Errorf("%s: expected three numbers", l.path)
		}
		r.Emit(ls, v)
		b = rest
	}
	return nil
}
