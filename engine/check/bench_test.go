package check

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"vigil/engine/clock"
	"vigil/engine/series"
)

// BenchmarkHostRound is what the host costs each `[host] every`: everything
// measured, encoded into a batch, compared with the round before, and sunk.
func BenchmarkHostRound(b *testing.B) {
	n := 0
	r, err := New(Defaults(), Deps{Clock: clock.System(), Sink: func(_ context.Context, b *series.Batch) error { n = len(b.Items); return nil }})
	if err != nil {
		b.Fatal(err)
	}
	j := r.jobs[Host]
	r.round(context.Background(), j)
	b.ReportAllocs()
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	for b.Loop() {
		r.round(context.Background(), j)
	}
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/1e6/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(n), "series/op")
	r.bus.Close()
}
