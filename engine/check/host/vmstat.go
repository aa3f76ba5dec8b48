package host

import "vigil/engine/series"

// vmstat reads the few lines of /proc/vmstat that tell of trouble.
type vmstat struct {
	path string
	of   map[string]series.Labels
}

func newVMStat(cfg Config) *vmstat {
	v := &vmstat{cfg.Proc + "/vmstat", map[string]series.Labels{}}
	for _, f := range []string{"oom_kill", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout"} {
		v.of[f] = one("node_vmstat_" + f)
	}
	return v
}

func (v *vmstat) names() (out []string) {
	for _, ls := range v.of {
		out = append(out, ls.Name())
	}
	return out
}

func (v *vmstat) collect(r *round) error {
	b, err := r.read(v.path)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		key, rest := field(l)
		if ls, ok := v.of[string(key)]; ok {
			if n, _, ok := next(rest); ok {
				r.emit(ls, n)
			}
		}
	}
	return nil
}
