package desired

import (
	"fmt"
	"os"
	"time"

	"vigil/internal/load/rig"
)

// drift changes one file after the other by hand. Each is another file, since one
// that is changed again and again is held back by its pace, rightly.
//
// Two ends are told. Right: somebody who reads the path sees what is wanted; the
// bytes are fsynced before the rename that shows them. Done: the ledger's own time
// at which the remediation was verified and succeeded; the folder is fsynced then.
func drift(c Config) ([]Row, error) {
	g, err := begin(c.Vigild, "")
	if err != nil {
		return nil, err
	}
	defer g.end()
	if err := g.write(c.Trials, 100, true); err != nil {
		return nil, err
	}
	if _, err := g.pushWait(); err != nil {
		return nil, err
	}
	began := make([]time.Time, c.Trials)
	var right, done []time.Duration
	before, err := g.usage()
	if err != nil {
		return nil, err
	}
	for n := range c.Trials {
		path, content := g.file(n)
		by := fmt.Appendf(nil, "somebody was here, number %d\n", n)
		began[n] = time.Now()
		if n%2 == 0 { // in place, and by rename
			err = os.WriteFile(path, by, 0o644)
		} else if err = os.WriteFile(path+".new", by, 0o644); err == nil {
			began[n] = time.Now()
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			return nil, err
		}
		took, err := until(path, content, 10*time.Second)
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w\n%s", n, err, g.Log())
		}
		right = append(right, took.Sub(began[n]))
		time.Sleep(20 * time.Millisecond) // the next is another person's
	}
	after, err := g.usage()
	if err != nil {
		return nil, err
	}
	ends, err := g.ends(c.Trials)
	if err != nil {
		return nil, err
	}
	for n, at := range ends {
		done = append(done, at.Sub(began[n]))
	}
	return []Row{
		{"changed by hand to right again, bytes fsynced", "p50 <= 5, p99 <= 25 ms", spread(right)},
		{"the same to succeeded in the ledger, folder fsynced", "", spread(done)},
		{"CPU of vigild for each", "", fmt.Sprintf("%.1f ms", (after.CPU-before.CPU).Seconds()*1000/float64(c.Trials))},
	}, nil
}

// until waits until a file holds what is wanted. It looks every 100 us and reads
// only when the file is another one or was changed: a look costs the processor,
// which vigild needs.
func until(path, content string, most time.Duration) (time.Time, error) {
	var last os.FileInfo
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		info, err := os.Stat(path)
		if err != nil || last != nil && os.SameFile(info, last) && info.ModTime().Equal(last.ModTime()) {
			continue
		}
		at := time.Now()
		if b, err := os.ReadFile(path); err == nil && string(b) == content {
			return at, nil
		}
		last = info
	}
	return time.Time{}, fmt.Errorf("%s is not right after %s", path, most)
}

// ends reads from the ledger when the first remediation of each of n files
// succeeded.
func (g *ground) ends(n int) (map[int]time.Time, error) {
	out := map[int]time.Time{}
	err := rig.Until(10*time.Second, "every heal has ended", func() bool {
		for before := ""; ; {
			var page struct {
				Actions []struct {
					Target      string     `json:"target"`
					State       string     `json:"state"`
					CompletedAt *time.Time `json:"completed_at"`
				} `json:"actions"`
				Next string `json:"next"`
			}
			if g.Get("/api/v1/actions?limit=500"+before, &page) != nil {
				return false
			}
			for _, a := range page.Actions {
				var of int
				if _, err := fmt.Sscanf(a.Target, "File/f%d", &of); err == nil && a.State == "succeeded" && a.CompletedAt != nil {
					out[of] = *a.CompletedAt
				}
			}
			if page.Next == "" {
				return len(out) >= n
			}
			before = "&before=" + page.Next
		}
	})
	return out, err
}
