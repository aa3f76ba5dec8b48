package probe

import (
	"context"
	"fmt"
	"math"

	"vigil/engine/check/procs"
	"vigil/engine/series"
)

// Process looks for processes and at what they use.
type Process struct {
	procs.Match `yaml:",inline"`
	Min         *int `yaml:"min"`      // how many must be there, default 1
	Max         *int `yaml:"max"`      // how many may be, default any number
	Children    bool `yaml:"children"` // count their children too
	PSS         bool `yaml:"pss"`      // tell the proportional memory, which costs more to read
}

// maxDetailed bounds the processes whose usage is read in a round; beyond it
// they are counted only.
const maxDetailed = 256

// Build is described at Params.
func (p *Process) Build(s *Site) Check {
	c := &process{Process: *p, site: s, min: 1, max: math.MaxInt, seen: map[identity]bool{}}
	if err := c.Match.Compile(); err != nil {
		s.bad("kind", "%v", err)
	}
	if p.Min != nil {
		c.min = *p.Min
	}
	if p.Max != nil {
		c.max = *p.Max
	}
	if c.min < 0 || c.max < c.min {
		s.bad("min", "min %d and max %d: no number of processes is between them", c.min, c.max)
	}
	for i, n := range procNames {
		c.of[i] = s.metric(n)
	}
	return c
}

// procNames are the metrics of a process check, in the order of the constants.
var procNames = [...]string{nameProcCount, nameProcZombies, nameProcChanges, nameProcUptime, nameProcCPU, nameProcCPUKids,
	nameProcRSS, nameProcThreads, nameProcChildren, nameProcFDs, nameProcFDRatio, nameProcRead, nameProcWrite, nameProcPSS}

const (
	mCount = iota
	mZombies
	mChanges
	mUptime
	mCPU
	mCPUKids
	mRSS
	mThreads
	mChildren
	mFDs
	mFDRatio
	mRead
	mWrite
	mPSS
)

// identity is a process for good: pids come again.
type identity struct {
	pid   int
	start int64
}

type process struct {
	Process
	site     *Site
	min, max int
	of       [len(procNames)]series.Labels

	seen    map[identity]bool // of the round before
	rounds  int
	changes float64
}

func (c *process) Collect(ctx context.Context, emit Emit) error {
	all, err := procs.Find(c.site.Deps.Proc, &c.Match)
	if err != nil {
		return err
	}
	living := all[:0:0]
	for _, p := range all {
		if p.State != 'Z' && p.State != 'X' {
			living = append(living, p)
		}
	}
	emit(c.of[mCount], float64(len(living)))
	emit(c.of[mZombies], float64(len(all)-len(living)))
	c.change(living)
	emit(c.of[mChanges], c.changes)
	if len(living) > 0 {
		if err := c.usage(ctx, emit, living); err != nil {
			return err
		}
	}
	switch n := len(living); {
	case n < c.min && n == 0 && len(all) > 0:
		return down("only zombies: %d", len(all))
	case n < c.min:
		return down("%d processes: at least %d are asked for", n, c.min)
	case n > c.max:
		return down("%d processes: at most %d are asked for", n, c.max)
	}
	return nil
}

// change counts the processes that were not there in the round before, so that a
// restart between two rounds is seen.
func (c *process) change(living []procs.Proc) {
	now := make(map[identity]bool, len(living))
	for _, p := range living {
		id := identity{p.PID, int64(p.Started)}
		now[id] = true
		if c.rounds > 0 && !c.seen[id] {
			c.changes++
		}
	}
	c.rounds++
	c.seen = now
}

// usage emits sums over the processes; the uptime is that of the youngest, the
// share of descriptors that of the fullest.
func (c *process) usage(ctx context.Context, emit Emit, ps []procs.Proc) error {
	proc := c.site.Deps.Proc
	up, err := procs.Uptime(proc)
	if err != nil {
		return fmt.Errorf("uptime: %w", err)
	}
	youngest := math.Inf(1)
	var sum [len(procNames)]float64
	var has [len(procNames)]bool
	add := func(i int, v float64) { sum[i] += v; has[i] = true }
	for i, p := range ps {
		youngest = min(youngest, max(0, (up-p.Started).Seconds()))
		add(mCPU, p.CPU.Seconds())
		add(mCPUKids, p.CPUChildren.Seconds())
		add(mRSS, float64(p.RSS))
		add(mThreads, float64(p.Threads))
		if i >= maxDetailed || ctx.Err() != nil {
			continue
		}
		u := procs.Use(proc, p.PID, c.PSS)
		if u.HasFDs {
			add(mFDs, u.FDs)
			if u.FDLimit > 0 {
				sum[mFDRatio], has[mFDRatio] = max(sum[mFDRatio], u.FDs/u.FDLimit), true
			}
		}
		if u.HasIO {
			add(mRead, u.ReadBytes)
			add(mWrite, u.WriteBytes)
		}
		if u.HasPSS {
			add(mPSS, u.PSS)
		}
	}
	emit(c.of[mUptime], youngest)
	if c.Children {
		n, err := procs.Children(proc, ps)
		if err != nil {
			return err
		}
		add(mChildren, float64(n))
	}
	for i := range sum {
		if has[i] {
			emit(c.of[i], sum[i])
		}
	}
	return nil
}
