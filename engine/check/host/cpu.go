package host

import (
	"bytes"
	"context"
	"fmt"

	"vigil/engine/check/host/kernel"
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
	seconds *kernel.Vec
	plain   map[string]series.Labels
	percent series.Labels
	usage   series.Labels

	busy, total float64 // of the round before; total 0: there was none
}

func newCPU(cfg Config) *cpu {
	return &cpu{
		path:    cfg.Proc + "/stat",
		seconds: kernel.NewVec("node_cpu_seconds_total", "cpu", "mode"),
		plain: map[string]series.Labels{
			"ctxt":          kernel.One("node_context_switches_total"),
			"intr":          kernel.One("node_intr_total"),
			"processes":     kernel.One("node_forks_total"),
			"procs_running": kernel.One("node_procs_running"),
			"procs_blocked": kernel.One("node_procs_blocked"),
			"btime":         kernel.One("node_boot_time_seconds"),
		},
		percent: kernel.Shared("cpu_percent"),
		usage:   kernel.Shared("cpu_usage"),
	}
}

func (c *cpu) Names() []string {
	out := append(kernel.Names(c.seconds), kernel.LabelNames(c.percent, c.usage)...)
	for _, ls := range c.plain {
		out = append(out, ls.Name())
	}
	return out
}

func (c *cpu) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(c.path)
	if err != nil {
		return err
	}
	sawTotal := false
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		key, rest := kernel.Field(l)
		if id, ok := bytes.CutPrefix(key, []byte("cpu")); ok {
			if len(id) == 0 {
				sawTotal = c.rate(r, rest)
				continue
			}
			for _, mode := range cpuModes {
				var v float64
				if v, rest, ok = kernel.Next(rest); !ok {
					break
				}
				r.Emit(c.seconds.At(id, mode), v/ticks)
			}
			continue
		}
		if ls, ok := c.plain[string(key)]; ok {
			if v, _, ok := kernel.Next(rest); ok {
				r.Emit(ls, v)
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
func (c *cpu) rate(r *kernel.Round, rest []byte) bool {
	var busy, total float64
	for i := range cpuModes {
		v, more, ok := kernel.Next(rest)
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
		r.Emit(c.percent, share*100)
		r.Emit(c.usage, share)
	}
	c.busy, c.total = busy, total
	return true
}
