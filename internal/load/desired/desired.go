// Package desired measures desired state from outside, with the real binary and
// the stock git client, beside what peers of the machine do.
//
// [Measurements] lists what can be measured; each starts a vigild of its own in a
// temporary folder and answers with the rows of one table. Nothing outside that
// folder is touched, and no privilege is needed: owners are those of whoever runs
// it. Every loop is bounded in count and time. A peer that is not installed is a
// row that says so, never a failure.
package desired

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"vigil/internal/load/rig"
)

// Config is what is asked for. Zero counts are those of the goal.
type Config struct {
	Vigild string        // the binary
	Trials int           // how many times
	Things int           // files or documents
	For    time.Duration // how long to watch
}

// Row is one line of a table.
type Row struct{ What, Goal, Got string }

// Measurement is one table. Trials, Things and For are what a zero Config means.
type Measurement struct {
	Name   string
	What   string
	Trials int
	Things int
	For    time.Duration
	run    func(Config) ([]Row, error)
}

// Measurements is all of them.
func Measurements() []Measurement {
	return []Measurement{
		{Name: "drift", What: "a file changed by hand until it is right again", Trials: 200, run: drift},
		{Name: "audit", What: "all files compared, nothing to do; beside cf-agent and puppet", Things: 1000, Trials: 20, run: audit},
		{Name: "idle", What: "managed files and nothing to do", Things: 20_000, For: time.Minute, run: idle},
		{Name: "push", What: "one changed document until the pusher sees it good", Things: 100, Trials: 30, run: push},
		{Name: "bulk", What: "a push of many new files until all of it is good", Things: 5000, Trials: 1, run: bulk},
		{Name: "plan", What: "a push of many documents until the plan is told", Things: 5000, Trials: 3, run: plan},
		{Name: "clone", What: "a clone of many files; beside git daemon", Things: 5000, Trials: 10, run: clone},
		{Name: "noticed", What: "a commit in a watched tree until it is seen", Trials: 20, run: noticed},
	}
}

// Run measures, and fills what c leaves open.
func (m Measurement) Run(c Config) ([]Row, error) {
	if c.Trials <= 0 {
		c.Trials = m.Trials
	}
	if c.Things <= 0 {
		c.Things = m.Things
	}
	if c.For <= 0 {
		c.For = m.For
	}
	return m.run(c)
}

// Print writes rows as a table.
func Print(to io.Writer, rows []Row) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tgoal\tmeasured")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.What, r.Goal, r.Got)
	}
	return w.Flush()
}

// spread is how a row tells many times.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	p50, p99, _ := rig.Quantiles(d) // sorts
	return fmt.Sprintf("p50 %.1f, p99 %.1f, most %.1f ms (%d trials)", p50, p99, float64(d[len(d)-1])/1e6, len(d))
}

// memory is a row's word of resident memory.
func memory(u rig.Usage) string {
	return fmt.Sprintf("%.0f MiB now, %.0f MiB at most", float64(u.NowKiB)/1024, float64(u.PeakKiB)/1024)
}
