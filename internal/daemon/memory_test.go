package daemon

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestMemoryLimitFollowsWhatIsKept(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name  string
		looks []uint64
		want  int64
	}{
		{"at start", nil, memoryLeast},
		{"what was loaded counts at once", []uint64{92 * mib}, 135 * mib},
		{"a small daemon", []uint64{9 * mib, 9 * mib, 9 * mib}, memoryLeast},
		{"a burst", []uint64{9 * mib, 90 * mib, 90 * mib}, memoryLeast},
		{"some series", []uint64{30 * mib}, 69 * mib},
		{"a flood's worth", []uint64{48 * mib}, memoryFlood},
		{"many series", []uint64{200 * mib, 210 * mib, 220 * mib}, 270 * mib},
	}
	for _, tt := range tests {
		if got := memoryLimit(tt.looks); got != tt.want {
			t.Errorf("%s: %d MiB, expected %d", tt.name, got/mib, tt.want/mib)
		}
	}
}

func TestMemoryPaceIsOfTheIdle(t *testing.T) {
	tests := []struct {
		name              string
		collections, kept uint64
		want              int
	}{
		{"idle", 0, 6 << 20, gcIdle},
		{"a little done", gcOften - 1, 6 << 20, gcIdle},
		{"busy", gcOften, 6 << 20, gcBusy},
		{"idle with many series", 0, 60 << 20, gcBusy},
	}
	for _, tt := range tests {
		if got := gcPace(tt.collections, tt.kept); got != tt.want {
			t.Errorf("%s: %d percent, expected %d", tt.name, got, tt.want)
		}
	}
}

func TestMemoryIsGivenBackOnceAfterABurst(t *testing.T) {
	var r rest
	given := 0
	for look := range 100 {
		var collections uint64
		if look == 0 || look == 40 {
			collections = 3
		}
		if r.due(collections, 6<<20) {
			if given++; look != gcRest && look != 40+gcRest {
				t.Errorf("it is given back at look %d", look)
			}
		}
	}
	if given != 2 {
		t.Errorf("it is given back %d times", given)
	}
	r = rest{used: true}
	for range 100 {
		if r.due(0, 60<<20) {
			t.Fatal("a daemon that keeps much walks through all of it")
		}
	}
}

func TestMemoryLimitIsGivenBack(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	t.Setenv("GOGC", "")
	pace := debug.SetGCPercent(100)
	defer debug.SetGCPercent(pace)
	before := debug.SetMemoryLimit(-1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- memory(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if after := debug.SetMemoryLimit(-1); after != before {
		t.Errorf("the limit is %d, before it was %d", after, before)
	}
	if after := debug.SetGCPercent(100); after != 100 {
		t.Errorf("the collector's pace is %d, before it was 100", after)
	}
}
