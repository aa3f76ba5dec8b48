package desired

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"vigil/internal/load/rig"
)

// noticed commits in a tree that vigild watches. The time goes from the moment at
// which git wrote the new tip to the ledger's own time of the revision, so all
// that is read and judged before it is written down is in it.
func noticed(c Config) ([]Row, error) {
	g, err := begin(c.Vigild, "source = \"path\"\npath = \"CLONE\"\npoll = \"1h\"\n")
	if err != nil {
		return nil, err
	}
	defer g.end()
	var seen, good []time.Duration
	for n := range c.Trials {
		content := fmt.Sprintf("commit %d\n", n)
		path, _ := g.file(0)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(g.yaml(0), []byte(g.document(0, content)), 0o644); err != nil {
			return nil, err
		}
		if err := g.commit(fmt.Sprintf("commit %d", n)); err != nil {
			return nil, err
		}
		info, err := os.Stat(filepath.Join(g.clone, ".git", "refs", "heads", "main"))
		if err != nil {
			return nil, err
		}
		var page struct {
			Revisions []struct {
				Subject string     `json:"subject"`
				State   string     `json:"state"`
				SeenAt  *time.Time `json:"seen_at"`
				EndedAt *time.Time `json:"ended_at"`
			} `json:"revisions"`
		}
		err = rig.Until(15*time.Second, fmt.Sprintf("commit %d is good", n), func() bool {
			time.Sleep(50 * time.Millisecond)
			return g.Get("/api/v1/revisions?limit=1", &page) == nil && len(page.Revisions) == 1 &&
				page.Revisions[0].Subject == fmt.Sprintf("commit %d", n) && page.Revisions[0].State == "good"
		})
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, g.Log())
		}
		seen = append(seen, page.Revisions[0].SeenAt.Sub(info.ModTime()))
		good = append(good, page.Revisions[0].EndedAt.Sub(info.ModTime()))
	}
	return []Row{
		{"commit in a watched tree to written down as seen", "<= 250 ms", spread(seen)},
		{"the same to applied and good", "", spread(good)},
	}, nil
}
