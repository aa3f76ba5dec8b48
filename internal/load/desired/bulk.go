package desired

import (
	"fmt"
	"os"
	"time"
)

// bulk pushes documents of files that are not there, and stays until the revision is
// good: every file is an act of its own, with its records and its way back. Beside
// the time it tells what an act costs the ledger and the processor.
func bulk(c Config) ([]Row, error) {
	var took []time.Duration
	var rows []Row
	for range c.Trials {
		d, more, err := bulkOnce(c)
		if err != nil {
			return nil, err
		}
		took, rows = append(took, d), more
	}
	return append([]Row{{fmt.Sprintf("git push -o wait of %d new files, to applied and good", c.Things), "", spread(took)}}, rows...), nil
}

func bulkOnce(c Config) (took time.Duration, rows []Row, err error) {
	g, err := begin(c.Vigild, "")
	if err != nil {
		return 0, nil, err
	}
	defer g.end()
	if err := g.write(c.Things, 100, false); err != nil {
		return 0, nil, err
	}
	commits := g.figure("vigil_ledger_commits_total")
	before, err := g.usage()
	if err != nil {
		return 0, nil, err
	}
	if took, err = g.pushWait(); err != nil {
		return 0, nil, err
	}
	u, err := g.usage()
	if err != nil {
		return 0, nil, err
	}
	commits = g.figure("vigil_ledger_commits_total") - commits
	for n := range c.Things {
		path, want := g.file(n)
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			return 0, nil, fmt.Errorf("the push has ended and %s is not as it says (%v)", path, err)
		}
	}
	return took, []Row{
		{"CPU of vigild for each file", "", fmt.Sprintf("%.2f ms", (u.CPU-before.CPU).Seconds()*1000/float64(c.Things))},
		{"transactions of the ledger for each file", "", fmt.Sprintf("%.2f", commits/float64(c.Things))},
		{"resident", "", memory(u)},
	}, nil
}
