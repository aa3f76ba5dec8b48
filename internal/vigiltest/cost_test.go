package vigiltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// metric sums the lines of the metrics page whose name begins with one of these.
func (l *lane) metric(names ...string) (sum float64) {
	l.t.Helper()
	status, page, err := l.ask(l.t.Context(), "GET", "/metrics", nil)
	if err != nil || status != http.StatusOK {
		l.t.Fatalf("metrics: %d %v", status, err)
	}
	for line := range strings.Lines(string(page)) {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				f := strings.Fields(line)
				v, _ := strconv.ParseFloat(f[len(f)-1], 64)
				sum += v
			}
		}
	}
	return sum
}

// TestABreachWaitsForTheDiskSixTimes: from the sample that breaches, over the act,
// to the sample that clears it. Two of them lie before the act: the sample is in
// the log, and the decision with its open attempt is in the ledger.
func TestABreachWaitsForTheDiskSixTimes(t *testing.T) {
	l := newLane(t, 1)
	l.mustBeReady(Binary)
	syncs := func() float64 { return l.metric("vigil_log_syncs_total", "vigil_ledger_commits_total") }
	breach := func(id string, n int) {
		for _, value := range []float64{1, 0} {
			if status, text, err := l.ask(t.Context(), "POST", "/api/v1/ingest", breached(id, value)); err != nil || status != http.StatusCreated {
				t.Fatalf("%d %s %v", status, text, err)
			}
			if !Until(func() bool { return len(l.readEffects()) == n && (value > 0 || l.quiet()) }) {
				t.Fatalf("breach %s was not acted on, or is not over:\n%s", id, l.log)
			}
		}
	}
	breach("first", 1)
	before := syncs()
	const trials = 5
	for n := range trials {
		breach(fmt.Sprint(n), n+2)
	}
	if before == 0 {
		t.Fatal("the metrics page tells no syncs")
	}
	if got := syncs() - before; got > 6*trials+2 {
		t.Errorf("%d breaches waited for the disk %g times", trials, got)
	}
}

// quiet says that nothing fires and nothing is under way.
func (l *lane) quiet() bool {
	var firings struct {
		Firings []json.RawMessage `json:"firings"`
	}
	_, text, err := l.ask(l.t.Context(), "GET", "/api/v1/firings", nil)
	if err != nil || json.Unmarshal(text, &firings) != nil || len(firings.Firings) > 0 {
		return false
	}
	var stats struct {
		Pending    int `json:"pending"`
		Processing int `json:"processing"`
	}
	_, text, err = l.ask(l.t.Context(), "GET", "/api/v1/queue/stats", nil)
	return err == nil && json.Unmarshal(text, &stats) == nil && stats.Pending+stats.Processing == 0
}

// TestIdleIsSmall: a daemon with its default collectors and policies, after its
// first rounds. It is held to a tenth more than the 45 and 15 MiB that are promised
// of a quiet machine: on a busy one the collector comes late.
func TestIdleIsSmall(t *testing.T) {
	l := prepared(t, t.TempDir(), 1)
	put(t, filepath.Join(l.dir, "vigil.toml"), "")
	l.mustBeReady(Binary)
	for l.metric("vigil_log_groups_total") < 3 { // asked seldom: asking makes garbage
		wait(1000, t.Context().Done())
	}
	var resident, anonymous int64
	if !Until(func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		resident, anonymous = kib(t, status, "VmRSS:"), kib(t, status, "RssAnon:")
		return 10*resident <= 11*45<<10 && 10*anonymous <= 11*15<<10
	}) {
		t.Errorf("idle, vigild has %d KiB resident, %d of them anonymous", resident, anonymous)
	}
	t.Logf("%d KiB resident, %d of them anonymous", resident, anonymous)
}

// kib reads one line of a process's status.
func kib(t testing.TB, status []byte, name string) (n int64) {
	t.Helper()
	_, rest, _ := strings.Cut(string(status), name)
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatalf("no %s in %s", name, status)
	}
	return n
}
