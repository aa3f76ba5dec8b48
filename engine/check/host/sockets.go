package host

import (
	"bytes"
	"context"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// sockets reads /proc/net/sockstat and, where the kernel tracks connections,
// how full its table is.
type sockets struct {
	path, entries, limit string
	of                   map[string]series.Labels // "TCP:inuse"
	count, max           series.Labels
	key                  []byte
}

func newSockets(cfg Config) *sockets {
	s := &sockets{
		path:    cfg.Proc + "/net/sockstat",
		entries: cfg.Proc + "/sys/net/netfilter/nf_conntrack_count",
		limit:   cfg.Proc + "/sys/net/netfilter/nf_conntrack_max",
		of:      map[string]series.Labels{"sockets:used": kernel.One("node_sockstat_sockets_used")},
		count:   kernel.One("node_nf_conntrack_entries"),
		max:     kernel.One("node_nf_conntrack_entries_limit"),
	}
	for _, f := range []string{"inuse", "orphan", "tw", "alloc", "mem"} {
		s.of["TCP:"+f] = kernel.One("node_sockstat_TCP_" + f)
	}
	s.of["UDP:inuse"] = kernel.One("node_sockstat_UDP_inuse")
	return s
}

func (s *sockets) Names() []string {
	out := kernel.LabelNames(s.count, s.max)
	for _, ls := range s.of {
		out = append(out, ls.Name())
	}
	return out
}

func (s *sockets) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(s.path)
	if err != nil {
		return kernel.ErrAbsent
	}
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		proto, rest, ok := bytes.Cut(l, []byte(":"))
		if !ok {
			continue
		}
		for len(rest) > 0 {
			var word []byte
			word, rest = kernel.Field(rest)
			s.key = append(append(append(s.key[:0], proto...), ':'), word...)
			var v float64
			v, rest, ok = kernel.Next(rest)
			if ls, known := s.of[string(s.key)]; known && ok {
				r.Emit(ls, v)
			}
		}
	}
	for _, f := range []struct {
		path string
		ls   series.Labels
	}{{s.entries, s.count}, {s.limit, s.max}} {
		if b, err := r.Read(f.path); err == nil {
			if v, _, ok := kernel.Next(b); ok {
				r.Emit(f.ls, v)
			}
		}
	}
	return nil
}
