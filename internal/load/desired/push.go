package desired

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// push changes one document of many and pushes it, again and again; the time is
// the git client's whole life. Beside it the same commits pushed to a bare
// repository in a folder, which is what git itself costs.
func push(c Config) ([]Row, error) {
	g, err := begin(c.Vigild, "")
	if err != nil {
		return nil, err
	}
	defer g.end()
	bare := filepath.Join(g.dir, "bare.git")
	if err := g.git("init", "-q", "--bare", bare); err != nil {
		return nil, err
	}
	if err := g.write(c.Things, 1, true); err != nil {
		return nil, err
	}
	if _, err := g.pushWait(); err != nil {
		return nil, err
	}
	if err := g.git("push", "-q", bare, "main"); err != nil {
		return nil, err
	}
	var took, git []time.Duration
	for n := range c.Trials {
		one := n % c.Things
		path, _ := g.file(one)
		content := fmt.Sprintf("pushed %d\n", n)
		if err := os.WriteFile(g.yaml(one), []byte(g.document(one, content)), 0o644); err != nil {
			return nil, err
		}
		if err := g.commit("one change"); err != nil {
			return nil, err
		}
		d, err := g.pushWait()
		if err != nil {
			return nil, err
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			return nil, fmt.Errorf("the push has ended and %s is not as it says (%v)", path, err)
		}
		took = append(took, d)
		at := time.Now()
		if err := g.git("push", "-q", bare, "main"); err != nil {
			return nil, err
		}
		git = append(git, time.Since(at))
	}
	return []Row{
		{fmt.Sprintf("git push -o wait of one of %d documents, to applied and good", c.Things), "<= 300 ms", spread(took)},
		{"git push of the same commit into a folder", "", spread(git)},
	}, nil
}

// plan pushes documents of files that are not there, as a dry run: what is timed
// is the whole push, pack included, until the plan is told.
func plan(c Config) ([]Row, error) {
	var took []time.Duration
	var rows []Row
	for n := range c.Trials {
		g, err := begin(c.Vigild, "")
		if err != nil {
			return nil, err
		}
		d, err := g.planned(c.Things)
		if err == nil && n == c.Trials-1 {
			u, uerr := g.usage()
			rows, err = append(rows, Row{"resident", "<= 200 MiB", memory(u)}, Row{"CPU of vigild", "", fmt.Sprintf("%.2f s since its start", u.CPU.Seconds())}), uerr
		}
		g.end()
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return append([]Row{{fmt.Sprintf("push of %d documents, verified, validated, planned", c.Things), "<= 3,000 ms", spread(took)}}, rows...), nil
}

func (g *ground) planned(n int) (time.Duration, error) {
	if err := g.write(n, 1, false); err != nil {
		return 0, err
	}
	at := time.Now()
	out, err := g.says("push", "-o", "dry-run", "origin", "main")
	took := time.Since(at)
	if err == nil || !strings.Contains(out, "dry run") || !strings.Contains(out, fmt.Sprintf("plan: %d things", n)) {
		return 0, fmt.Errorf("the dry run did not tell a plan of %d things:\n%s\n%s", n, out, g.Log())
	}
	return took, nil
}
