package host

import (
	"fmt"

	"vigil/engine/series"
)

// load reads /proc/loadavg.
type load struct {
	path string
	of   [3]series.Labels
}

func newLoad(cfg Config) *load {
	return &load{cfg.Proc + "/loadavg", [3]series.Labels{one("node_load1"), one("node_load5"), one("node_load15")}}
}

func (l *load) names() []string { return labelNames(l.of[:]...) }

func (l *load) collect(r *round) error {
	b, err := r.read(l.path)
	if err != nil {
		return err
	}
	for _, ls := range l.of {
		v, rest, ok := next(b)
		if !ok {
			return fmt.Errorf("%s: expected three numbers", l.path)
		}
		r.emit(ls, v)
		b = rest
	}
	return nil
}
