package host

import (
	"bytes"
	"fmt"

	"vigil/engine/series"
)

// cpuModes are the columns of a cpu line in /proc/stat. guest and guest_nice
// come after them and are already counted in user and nice.
var cpuModes = [...][]byte{[]byte("user"), []byte("nice"), []byte("system"), []byte("idle"),
	[]byte("iowait"), []byte("irq"), []byte("softirq"), []byte("steal")}

// ticks is USER_HZ, which the kernel fixes at 100 on all that Go builds for.
const ticks = 100

// cpu reads /proc/stat: time by mode, switches, interrupts, forks, boot time.
type cpu struct {
	path    string
	seconds *vec
	plain   map[string]series.Labels
	percent series.Labels
	usage   series.Labels

	busy, total float64 // of the round before; total 0: there was none
}

func newCPU(cfg Config) *cpu {
	return &cpu{
		path:    cfg.Proc + "/stat",
		seconds: newVec("node_cpu_seconds_total", "cpu", "mode"),
		plain: map[string]series.Labels{
			"ctxt":          one("node_context_switches_total"),
			"intr":          one("node_intr_total"),
			"processes":     one("node_forks_total"),
			"procs_running": one("node_procs_running"),
			"procs_blocked": one("node_procs_blocked"),
			"btime":         one("node_boot_time_seconds"),
		},
		percent: one("cpu_percent"),
		usage:   one("cpu_usage"),
	}
}

func (c *cpu) names() []string {
	out := append(vecNames(c.seconds), labelNames(c.percent, c.usage)...)
	for _, ls := range c.plain {
		out = append(out, ls.Name())
	}
	return out
}

func (c *cpu) collect(r *round) error {
	b, err := r.read(c.path)
	if err != nil {
		return err
	}
	sawTotal := false
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		key, rest := field(l)
		if id, ok := bytes.CutPrefix(key, []byte("cpu")); ok {
			if len(id) == 0 {
				sawTotal = c.rate(r, rest)
				continue
			}
			for _, mode := range cpuModes {
				var v float64
				if v, rest, ok = next(rest); !ok {
					break
				}
				r.emit(c.seconds.at(id, mode), v/ticks)
			}
			continue
		}
		if ls, ok := c.plain[string(key)]; ok {
			if v, _, ok := next(rest); ok {
				r.emit(ls, v)
			}
		}
	}
	if !sawTotal {
		return fmt.Errorf("%s: no readable line beginning with cpu", c.path)
	}
	return nil
}

// rate emits the share of time that was not idle since the round before. The
// counters of idle and iowait may step back a little; such a round says nothing.
func (c *cpu) rate(r *round, rest []byte) bool {
	var busy, total float64
	for i := range cpuModes {
		v, more, ok := next(rest)
		if !ok {
			return i >= 4 // old kernels and some containers end after idle
		}
		rest = more
		total += v
		if i != 3 && i != 4 {
			busy += v
		}
	}
	if dt := total - c.total; c.total > 0 && dt > 0 && busy >= c.busy {
		share := min(1, (busy-c.busy)/dt)
		r.emit(c.percent, share*100)
		r.emit(c.usage, share)
	}
	c.busy, c.total = busy, total
	return true
}
