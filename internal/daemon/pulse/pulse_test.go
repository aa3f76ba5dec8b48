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

// told is what a batch says of who is up; whether one stands is said beside that where
// only one of the two ends.
func told(b *series.Batch) string {
	var out []string
	ends := map[string]bool{}
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
		switch who := ls.Get("process"); {
		case ls.Name() == nameUp:
			ends[who] = series.IsStale(v)
			out = append(out, who+"="+text)
		case ls.Name() == nameStands && ends[who] != series.IsStale(v):
			out = append(out, who+" stands "+text)
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

// Whether a process has stood for its hold is told, not guessed from silence: at its
// end as at its start at once, and when the hold is over.
func TestPulseTellsWhenAProcessHasStoodForItsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // over got, infos
		var got []string
		now := func() clock.Stamp {
			at := time.Now()
			return clock.Stamp{Wall: at.UnixMicro(), Boot: at.UnixNano(), BootID: "b"}
		}
		begun := now()
		infos := []supervise.Info{{Name: "web", Running: true, Up: true, Since: begun, Hold: 3 * time.Second}}
		p := New(Config{Every: time.Hour}, Deps{Clock: now, Log: quiet})
		p.list = func() []supervise.Info {
			mu.Lock()
			defer mu.Unlock()
			return infos
		}
		p.ingest = func(_ context.Context, b *series.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			for _, it := range b.Items {
				if ls, err := series.ParseKey(it.Key); err == nil && ls.Name() == nameStands {
					since, _ := now().Sub(begun)
					got = append(got, fmt.Sprintf("%v=%v", since, b.Points[it.Lo].V))
				}
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		p.Event(supervise.Event{Name: "web", Up: true, Pid: 7})
		time.Sleep(time.Minute)
		mu.Lock()
		infos = []supervise.Info{{Name: "web"}}
		mu.Unlock()
		p.Event(supervise.Event{Name: "web", Pid: 7})
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got, want := strings.Join(got, " "), "0s=0 250ms=0 3s=1 1m0s=-1 1m0.25s=-1"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}

// On a disk that takes longer for a sample than the hold is, a process that ends at
// once is never told to have stood: nothing clears a firing between its deaths.
func TestPulseOnASlowDiskNeverTellsThatADeadProcessStood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // over got, up
		var got []string
		now := func() clock.Stamp {
			at := time.Now()
			return clock.Stamp{Wall: at.UnixMicro(), Boot: at.UnixNano(), BootID: "b"}
		}
		info := supervise.Info{Name: "web", Hold: time.Second}
		p := New(Config{Every: 3 * time.Second}, Deps{Clock: now, Log: quiet})
		p.list = func() []supervise.Info {
			mu.Lock()
			defer mu.Unlock()
			return []supervise.Info{info}
		}
		p.ingest = func(_ context.Context, b *series.Batch) error {
			time.Sleep(5 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			for _, it := range b.Items {
				if ls, err := series.ParseKey(it.Key); err == nil && ls.Name() == nameStands {
					got = append(got, fmt.Sprint(b.Points[it.Lo].V))
				}
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for range 20 {
			for _, up := range []bool{true, false} {
				mu.Lock()
				info.Up, info.Running, info.Since = up, up, now()
				mu.Unlock()
				p.Event(supervise.Event{Name: "web", Up: up, Pid: 7})
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(2 * time.Second)
		}
		time.Sleep(time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if all := strings.Join(got, " "); strings.Contains(" "+all+" ", " 1 ") || !strings.HasSuffix(all, "-1 -1") || !strings.Contains(all, "0") {
			t.Errorf("told %s", all)
		}
	})
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
