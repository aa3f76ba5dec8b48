package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/remedy"
)

// child runs the loaded half of the kill test when this binary was started as
// one: it writes for ever from two goroutines and tells what was acknowledged.
func child() bool {
	dir := os.Getenv("VIGIL_LEDGER_CHILD")
	if dir == "" {
		return false
	}
	cfg := config(dir)
	cfg.LogPages, cfg.BallastMB = 32, 1
	l, err := ledger.Open(cfg, systemDeps())
	if err != nil {
		fmt.Println("error", err)
		return true
	}
	go func() { _ = l.Run(context.Background()) }() // ends with the process
	said := make(chan string)
	for w := range 2 {
		go func() {
			for {
				said <- act(l, "s"+strconv.Itoa(w))
			}
		}()
	}
	for s := range said {
		fmt.Println(s)
	}
	return true
}

// act queues, claims and finishes, and says what of it was acknowledged.
func act(l *ledger.Ledger, subject string) string {
	ctx := context.Background()
	d := queued()
	d.Remediations[0].Subject = subject
	rc, err := l.Commit(ctx, d)
	if err != nil {
		return "error " + err.Error()
	}
	fmt.Println("queued", rc.Remediations[0])
	r := &rig{Ledger: l, deps: systemDeps()}
	m := d.Remediations[0]
	m.ID, m.Version = rc.Remediations[0], 1
	mv, err := r.claim(m)
	if err != nil {
		return "error " + err.Error()
	}
	fmt.Println("opened", mv.Open.ID())
	if err := l.Apply(ctx, 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
		return "error " + err.Error()
	}
	return "closed " + mv.Open.ID()
}

// TestKillNineLosesNothingAcknowledged: a process under load is killed at some
// moment, again and again on one directory; each time all that it was told is
// durable is there, the chain verifies, and what it left open is found.
func TestKillNineLosesNothingAcknowledged(t *testing.T) {
	rounds := 12
	if brief() {
		rounds = 3
	}
	if s := os.Getenv("VIGIL_KILLS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	rnd, dir := seed(t), t.TempDir()
	queued, opened, closed := 0, map[string]bool{}, map[string]bool{}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "VIGIL_LEDGER_CHILD="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(out)
		var kill *time.Timer
		for sc.Scan() {
			if kill == nil { // it runs: it has at most a quarter of a second to live
				kill = time.AfterFunc(time.Duration(rnd.IntN(250_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
			word, id, _ := strings.Cut(sc.Text(), " ")
			switch word {
			case "queued":
				n, _ := strconv.Atoi(id)
				queued = max(queued, n)
			case "opened":
				opened[id] = true
			case "closed":
				closed[id] = true
			default:
				t.Fatalf("round %d: the child says %q", round, sc.Text())
			}
		}
		_ = cmd.Wait() // killed
		judge(t, dir, round, queued, opened, closed)
	}
	t.Logf("%d kills, %d remediations, %d attempts, %d finished", rounds, queued, len(opened), len(closed))
}

func judge(t *testing.T, dir string, round, queued int, opened, closed map[string]bool) {
	r := newRig(t, config(dir))
	defer r.close()
	r.verify()
	ctx := context.Background()
	if q := r.Stats(ctx).Quarantined; len(q) > 0 {
		t.Fatalf("round %d: a whole file was quarantined: %v", round, q)
	}
	if _, err := r.Remediation(ctx, int64(queued)); err != nil && queued > 0 {
		t.Fatalf("round %d: remediation %d was acknowledged: %v", round, queued, err)
	}
	there, finished := map[string]bool{}, map[string]bool{}
	for id := range int64(queued) {
		as, err := r.Attempts(ctx, id+1)
		if err != nil {
			t.Fatalf("round %d: remediation %d: %v", round, id+1, err)
		}
		for _, a := range as {
			there[a.ID()], finished[a.ID()] = true, !a.Finished.IsZero()
		}
	}
	for id := range opened {
		if !there[id] {
			t.Fatalf("round %d: the started record %s was acknowledged and is lost", round, id)
		}
	}
	for id := range closed {
		if !finished[id] {
			t.Fatalf("round %d: the finish record %s was acknowledged and is lost", round, id)
		}
	}
	as, rs, err := r.Unfinished(ctx)
	if err != nil || len(as) != len(rs) || len(as) > 2 {
		t.Fatalf("round %d: %d attempts open, %d remediations under way, %v", round, len(as), len(rs), err)
	}
	for _, a := range as { // a person, or the worker, decides; the next round goes on
		i := slices.IndexFunc(rs, func(m remedy.Remediation) bool { return m.ID == a.Remediation })
		if finished[a.ID()] || i < 0 {
			t.Fatalf("round %d: %s is reported open", round, a.ID())
		}
		if err := r.Apply(ctx, rs[i].Version, finish(rs[i], a, r.now())); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.load().UncleanStarts); n == 0 {
		t.Fatalf("round %d: the unclean stop was not noticed", round)
	}
}

// TestSecondInstanceIsRefused: by name and pid, and the first goes on.
func TestSecondInstanceIsRefused(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	_, err := ledger.Open(r.cfg, r.deps)
	wantKind(t, err, fault.Conflict)
	if !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("the refusal names no pid: %v", err)
	}
	wantKind(t, ledger.Restore(context.Background(), r.cfg, r.deps, "/nowhere"), fault.Conflict)
	r.commit(queued())
	r.reopen()
	r.verify()
}
