package pulse

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/actions/supervise"
	"vigil/engine/clock"
	"vigil/engine/series"
)

func told(b *series.Batch) string {
	var out []string
	for _, it := range b.Items {
		ls, err := series.ParseKey(it.Key)
		if err != nil {
			return err.Error()
		}
		v := b.Points[it.Lo].V
		text := fmt.Sprint(v)
		if series.IsStale(v) {
			text = "stale"
		}
		if ls.Name() == nameUp {
			out = append(out, ls.Get("process")+"="+text)
		}
	}
	return strings.Join(out, " ")
}

var quiet = slog.New(slog.DiscardHandler)

// A death is told at once; one that a person asked for is not, and ends the
// series, so that no policy undoes it.
func TestPulseTellsDeathsAndRespectsAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // over got
		var got []string
		infos := []supervise.Info{{Name: "web", Running: true, Up: true}, {Name: "job", Stopped: true}, {Name: "slow", Running: true}}
		p := New(Config{Every: 10 * time.Second}, Deps{Clock: func() clock.Stamp { return clock.Stamp{Wall: time.Now().UnixMicro()} }, Log: quiet})
		p.list = func() []supervise.Info { return infos }
		p.ingest = func(_ context.Context, b *series.Batch) error {
			if !b.Own {
				t.Error("not marked as vigild's own")
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, told(b))
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("told %q, want %q", got, want)
			}
			got = nil
		}
		p.Event(supervise.Event{Name: "web", Pid: 7})
		expect("web=0")
		time.Sleep(echo)
		expect("web=1 job=stale")
		p.Event(supervise.Event{Name: "job", Pid: 8, Asked: true})
		p.Event(supervise.Event{Name: "slow"}) // found not running at the start
		expect()
		time.Sleep(echo)
		expect("web=1 job=stale")
		time.Sleep(10 * time.Second)
		expect("web=1 job=stale")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPulseNeverBlocks(t *testing.T) {
	p := New(Config{Every: time.Second}, Deps{Clock: clock.System(), Log: quiet})
	for range 10_000 {
		p.Event(supervise.Event{Name: "x"})
	}
}

// A process that is kept no more ends in all of its series, once.
func TestPulseEndsWhatIsKeptNoMore(t *testing.T) {
	var ended []string
	p := New(Config{Every: time.Hour}, Deps{Clock: func() clock.Stamp { return clock.Stamp{Wall: 1_000_000} }, Log: quiet})
	p.ingest = func(_ context.Context, b *series.Batch) error {
		for _, it := range b.Items {
			if ls, err := series.ParseKey(it.Key); err == nil && ls.Get("process") == "web" && series.IsStale(b.Points[it.Lo].V) {
				ended = append(ended, ls.Name())
			}
		}
		return nil
	}
	p.tell(t.Context(), supervise.Event{Name: "web", Gone: true, Asked: true})
	if got, want := strings.Join(ended, " "), strings.Join(Names(), " "); got != want {
		t.Errorf("ended are %q, want %q", got, want)
	}
}
