package host

import (
	"context"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// vmstat reads the few lines of /proc/vmstat that tell of trouble.
type vmstat struct {
	path string
	of   map[string]series.Labels
}

func newVMStat(cfg Config) *vmstat {
	v := &vmstat{cfg.Proc + "/vmstat", map[string]series.Labels{}}
	for _, f := range []string{"oom_kill", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout"} {
		v.of[f] = kernel.One("node_vmstat_" + f)
	}
	return v
}

func (v *vmstat) Names() (out []string) {
	for _, ls := range v.of {
		out = append(out, ls.Name())
	}
	return out
}

func (v *vmstat) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(v.path)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		key, rest := kernel.Field(l)
		if ls, ok := v.of[string(key)]; ok {
			if n, _, ok := kernel.Next(rest); ok {
				r.Emit(ls, n)
			}
		}
	}
	return nil
}
