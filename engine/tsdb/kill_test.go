package tsdb

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/series"
)

const childDir = "VIGIL_TSDB_TEST_CHILD"

func childConfig(dir string) Config {
	cfg := Defaults()
	cfg.Dir = dir
	cfg.SegmentBytes, cfg.LogBytes, cfg.LogMaxBytes = 64<<10, 128<<10, 4<<20
	cfg.SnapshotEvery = 0
	cfg.CheckBudget = time.Minute
	cfg.RetentionAge = 100 * 365 * 24 * time.Hour // what is pushed is from 2023
	return cfg
}

// value is what every run writes for a series and a number, so that what comes
// back can be told from what was never sent.
func value(worker, n int) float64 { return float64(worker*1_000_003+n*7) / 100 }

func pushed(worker, n int) (series.Labels, int64) {
	return name("kill", "worker", strconv.Itoa(worker), "part", strconv.Itoa(n%5)), 1_700_000_000_000 + int64(n)*10
}

// child is the process that is killed: it appends from several goroutines, cuts
// all the time, and says on its standard output what was acknowledged.
func child() {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	first, _ := strconv.Atoi(os.Getenv(childDir + "_FROM"))
	s, err := Open(childConfig(dir), Deps{Clock: clock.System()})
	if err == nil {
		err = s.Start(context.Background(), 0, &follower{s: s})
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	var out sync.Mutex
	for w := range 4 {
		go func() {
			for n := first; ; {
				var b series.Batch
				b.Backfill = true
				from := n
				for range 1 + n%97 {
					ls, t := pushed(w, n)
					b.Add(ls, t, value(w, n))
					n++
				}
				if err := s.Append(context.Background(), &b); err != nil || b.Accepted() != len(b.Points) {
					fmt.Println("error", err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println("ack", w, from, n)
				out.Unlock()
			}
		}()
	}
	for {
		if err := s.Cut(context.Background()); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
}

// The process is killed at random moments, again and again over one directory.
func TestKillAtAnyPointLosesNothingAcknowledged(t *testing.T) {
	runs := 12
	if n, err := strconv.Atoi(os.Getenv("VIGIL_KILLS")); err == nil {
		runs = n
	} else if testing.Short() {
		runs = 5
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	acked := map[int]map[int]bool{0: {}, 1: {}, 2: {}, 3: {}}
	sent := map[int]bool{} // numbers from which runs began
	for run := range runs {
		from := run * 1_000_000
		sent[from] = true
		after := time.Duration(rng.IntN(400)) * time.Millisecond
		for w, ns := range killed(t, dir, from, after) {
			for _, n := range ns {
				acked[w][n] = true
			}
		}
		r := &rig{t: t, cfg: childConfig(dir), clock: newClock()}
		r.start(0)
		total, lost, foreign := 0, 0, 0
		for w, ns := range acked {
			have := map[int64]float64{}
			for part := range 5 {
				for _, p := range r.all(name("kill", "worker", strconv.Itoa(w), "part", strconv.Itoa(part))) {
					have[p.T] = p.V
					if n := int(p.T-1_700_000_000_000) / 10; p.V != value(w, n) || n%5 != part || !sent[n/1_000_000*1_000_000] {
						foreign++
					}
				}
			}
			for n := range ns {
				total++
				_, at := pushed(w, n)
				if v, ok := have[at]; !ok || v != value(w, n) {
					lost++
					if lost <= 30 {
						t.Logf("lost: worker %d number %d", w, n)
					}
				}
			}
		}
		if lost > 0 || foreign > 0 {
			t.Fatalf("run %d, killed after %s: %d of %d acknowledged samples lost, %d that nobody sent; %v", run, after, lost, total, foreign, r.s.Events())
		}
		if es := r.s.Events(); len(es) > 0 && (len(es) > 1 || es[0].Kind != "torn") {
			for _, e := range es {
				if e.Kind != "torn" && e.Kind != "era" {
					t.Fatalf("run %d: %v", run, es)
				}
			}
		}
		r.stop()
		if run == runs-1 {
			if total == 0 {
				t.Fatal("nothing was ever acknowledged: the test shows nothing")
			}
			t.Logf("%d samples acknowledged over %d kills", total, runs)
		}
	}
}

// killed runs a child until it is killed and returns what it acknowledged.
func killed(t *testing.T, dir string, from int, after time.Duration) map[int][]int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprint(childDir, "_FROM=", from))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := map[int][]int{}
	lines := bufio.NewScanner(pipe)
	var kill *time.Timer
	for lines.Scan() {
		line := lines.Text()
		var w, lo, hi int
		switch {
		case line == "ready":
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		case len(line) > 5 && line[:5] == "error":
			t.Fatal("child: ", line)
		default:
			if _, err := fmt.Sscanf(line, "ack %d %d %d", &w, &lo, &hi); err == nil && line[len(line)-1] != ' ' {
				for n := lo; n < hi; n++ {
					out[w] = append(out[w], n)
				}
			}
		}
	}
	if kill == nil {
		t.Fatal("the child never got ready")
	}
	_ = cmd.Wait() // it was killed
	return out
}
