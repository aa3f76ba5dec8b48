package desired

import (
	"fmt"
	"time"
)

// audit counts the processor time of one comparison of every file. vigild compares
// at each resync: what a second of resyncs costs, less what it costs without, by
// the number of things that it says it looked at. Each peer is one run of its
// agent on the same files.
func audit(c Config) ([]Row, error) {
	g, err := begin(c.Vigild, "resync = \"1s\"\n")
	if err != nil {
		return nil, err
	}
	defer g.end()
	if err := g.write(c.Things, 100, true); err != nil {
		return nil, err
	}
	// What has just been written is read again at each look, rightly.
	time.Sleep(2500 * time.Millisecond)
	if _, err := g.pushWait(); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	cpu, looks, err := g.watch(time.Duration(c.Trials) * time.Second)
	if err != nil {
		return nil, err
	}
	quiet, err := calm(c)
	if err != nil {
		return nil, err
	}
	rounds := looks / float64(c.Things)
	per := (cpu - time.Duration(float64(quiet)*float64(c.Trials))).Seconds() * 1000 / max(rounds, 1)
	rows := []Row{
		{fmt.Sprintf("compare %d files, nothing to do", c.Things), "<= 20 ms CPU", fmt.Sprintf("%.1f ms CPU a round (%.0f rounds)", per, rounds)},
		{"the same with all that vigild does beside it", "", fmt.Sprintf("%.1f ms CPU a second", cpu.Seconds()*1000/float64(c.Trials))},
	}
	return append(rows, g.peers(c.Things)...), nil
}

// watch is the processor time and the looks within a time.
func (g *ground) watch(long time.Duration) (cpu time.Duration, looks float64, err error) {
	looks = g.figure("vigil_looks_total")
	before, err := g.usage()
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(long)
	after, err := g.usage()
	return after.CPU - before.CPU, g.figure("vigil_looks_total") - looks, err
}

// calm is what a second of vigild costs that has the same set and no resync.
func calm(c Config) (time.Duration, error) {
	g, err := begin(c.Vigild, "resync = \"1h\"\n")
	if err != nil {
		return 0, err
	}
	defer g.end()
	if err := g.write(c.Things, 100, true); err != nil {
		return 0, err
	}
	if _, err := g.pushWait(); err != nil {
		return 0, err
	}
	time.Sleep(2 * time.Second)
	cpu, _, err := g.watch(10 * time.Second)
	return cpu / 10, err
}

// idle is many files and nothing to do, at the default resync.
func idle(c Config) ([]Row, error) {
	g, err := begin(c.Vigild, "")
	if err != nil {
		return nil, err
	}
	defer g.end()
	if err := g.write(c.Things, 100, true); err != nil {
		return nil, err
	}
	took, err := g.pushWait()
	if err != nil {
		return nil, err
	}
	loaded, err := g.usage()
	if err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	cpu, looks, err := g.watch(c.For)
	if err != nil {
		return nil, err
	}
	u, err := g.usage()
	if err != nil {
		return nil, err
	}
	return []Row{
		{fmt.Sprintf("%d files, idle for %s", c.Things, c.For), "<= 0.5 % of a core", fmt.Sprintf("%.2f %% (%.1f rounds)", 100*cpu.Seconds()/c.For.Seconds(), looks/float64(c.Things))},
		{"resident at the end", "<= 150 MiB", memory(u)},
		{"resident when the push was done", "", memory(loaded)},
		{"the push of all of them, already right", "", fmt.Sprintf("%.2f s", took.Seconds())},
	}, nil
}
