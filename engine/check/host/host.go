// Package host reads how the machine itself is: one file per area, node_exporter's
// metric names and labels wherever one exists, `node_*` never bent, and the
// original's gauges (cpu_percent and its kin) beside them.
//
// It reads /proc and /sys through one buffer that is reused, and keeps every
// label set it has made, so that a round every ten seconds costs a small board
// next to nothing. Only vigild's own kernel is asked: no program is started and
// nothing is changed.
//
// It refuses pseudo filesystems, loop devices and container plumbing unless the
// configuration asks for them. An area that fails leaves the others untouched.
// A file system that hangs holds up no more than its own series: its call is
// left to the kernel and not repeated before it has returned; [Collector.Stuck]
// says how many there are. Apart from those calls nothing outlives Collect.
package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"vigil/engine/check/bus"
	"vigil/engine/check/host/kernel"
	"vigil/engine/check/host/mounts"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// Units is what the collector asks of systemd; *bus.Systemd satisfies it.
type Units interface {
	Failed(ctx context.Context) ([]bus.Unit, error)
}

// Deps is what the collector needs from others.
type Deps struct {
	Units Units // nil: no units are measured
	Clock clock.Clock
	// Statfs is asked of every mount; nil is the kernel's.
	Statfs func(string, *unix.Statfs_t) error
}

// area is one part of the machine. Neighbours have the same shape: Names for
// the contract, Collect for the values.
type area interface {
	Names() []string
	Collect(ctx context.Context, r *kernel.Round) error
}

// named is an area and what it is called in node_scrape_collector_success.
type named struct {
	name string
	area area
	ok   series.Labels
}

// Collector measures the host. Collect must not be called concurrently.
type Collector struct {
	deps   Deps
	areas  []named
	files  *mounts.Area
	reader *kernel.Reader
}

// New makes a collector; nothing is read before the first Collect.
func New(cfg Config, deps Deps) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Clock == nil {
		deps.Clock = clock.System()
	}
	c := &Collector{deps: deps, reader: kernel.NewReader()}
	c.files = newMounts(cfg, deps.Statfs)
	c.areas = list(cfg, deps, c.files)
	return c, nil
}

// list is every area, in the order of collection: what a person misses first
// comes first.
func list(cfg Config, deps Deps, files *mounts.Area) []named {
	all := []named{
		{name: "cpu", area: newCPU(cfg)},
		{name: "loadavg", area: newLoad(cfg)},
		{name: "meminfo", area: newMemory(cfg)},
		{name: "vmstat", area: newVMStat(cfg)},
		{name: "pressure", area: newPressure(cfg)},
		{name: "filesystem", area: files},
		{name: "diskstats", area: newDisks(cfg)},
		{name: "netdev", area: newNetwork(cfg)},
		{name: "sockstat", area: newSockets(cfg)},
		{name: "hwmon", area: newHwmon(cfg)},
		{name: "thermal_zone", area: newThermal(cfg)},
		{name: "time", area: newTimes(cfg)},
		{name: "processes", area: newProcesses(cfg)},
		{name: "filefd", area: newFiles(cfg)},
		{name: "systemd", area: newUnits(deps.Units)},
	}
	for i := range all {
		all[i].ok = series.New(
			series.Label{Name: series.NameLabel, Value: successName},
			series.Label{Name: "collector", Value: all[i].name})
	}
	return all
}

func newMounts(cfg Config, statfs func(string, *unix.Statfs_t) error) *mounts.Area {
	if statfs == nil {
		statfs = unix.Statfs
	}
	list, others := mountinfo(cfg.Proc)
	return mounts.New(mounts.Config{
		Mountinfo: list, Others: others, Root: cfg.Root, Wait: cfg.StuckAfter.Std(), Statfs: statfs,
		SkipMounts: kernel.NewFilter(cfg.MountpointsExclude), SkipTypes: kernel.NewFilter(cfg.FstypesExclude),
	})
}

// mountinfo is the list of mounts to go by: that of process 1 where it has the
// same root, since a sandbox shows vigild its own mounts, most of them read-only;
// else vigild's. others says whether it is another process's list.
func mountinfo(proc string) (path string, others bool) {
	first, err := os.Stat(proc + "/1/root/.")
	if err == nil {
		var own os.FileInfo
		if own, err = os.Stat(proc + "/self/root/."); err == nil && os.SameFile(first, own) {
			return proc + "/1/mountinfo", true
		}
	}
	return proc + "/self/mountinfo", false
}

const successName = "node_scrape_collector_success"

// Names is every metric name that a collector can emit, whatever the machine.
func Names() []string {
	cfg := Defaults()
	out := []string{successName}
	for _, n := range list(cfg, Deps{}, newMounts(cfg, nil)) {
		out = append(out, n.area.Names()...)
	}
	return out
}

// Collect measures everything once. It blocks for a few milliseconds, and for
// at most Config.StuckAfter more when a file system hangs. The error joins
// those of the areas that failed; what was emitted is good all the same.
func (c *Collector) Collect(ctx context.Context, emit func(series.Labels, float64)) error {
	r := &kernel.Round{Reader: c.reader, Now: c.deps.Clock(), Emit: emit}
	var all []error
	for _, n := range c.areas {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(all, err)...)
		}
		err := n.area.Collect(ctx, r)
		if errors.Is(err, kernel.ErrAbsent) {
			continue
		}
		ok := 1.0
		if err != nil {
			ok = 0
			all = append(all, fmt.Errorf("%s: %w", n.name, err))
		}
		emit(n.ok, ok)
	}
	return errors.Join(all...)
}

// Stuck is the number of file systems whose answer is still awaited.
func (c *Collector) Stuck() int { return c.files.Stuck() }
