package ledger_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
)

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports the CPU and the bytes to disk of each operation beside its time.
func measure(b *testing.B, r *rig, op func(i int)) {
	before, from := r.Stats(context.Background()), cpu(b)
	i := 0
	for b.Loop() {
		op(i)
		i++
	}
	b.ReportMetric(float64((cpu(b)-from).Microseconds())/float64(i), "cpu-µs/op")
	after := r.Stats(context.Background())
	b.ReportMetric(float64(after.BytesWritten-before.BytesWritten)/float64(i), "disk-B/op")
	b.ReportMetric(float64(after.Commits-before.Commits)/float64(i), "commits/op")
}

// BenchmarkCommit is a small decision: a firing, a remediation, two audit records.
func BenchmarkCommit(b *testing.B) {
	r := newRig(b, config(b.TempDir()))
	version := int64(0)
	measure(b, r, func(int) {
		r.commit(small(version))
		version++
	})
}

// BenchmarkClaim opens and closes an attempt, with the history of those before it.
func BenchmarkClaim(b *testing.B) {
	r := newRig(b, config(b.TempDir()))
	b.StopTimer()
	ids := make([]int64, 0, 4096)
	for range 4096 {
		ids = append(ids, r.commit(small(int64(len(ids)))).Remediations...)
	}
	b.StartTimer()
	measure(b, r, func(i int) {
		m := order("web1", "systemd:web.service")
		m.ID, m.Version = ids[i], 1
		mv, err := r.claim(m)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
			b.Fatal(err)
		}
		r.wall.Add(60_000_000) // sixty acts an hour: a busy host
	})
}

// BenchmarkCommitTogether is many writers at once: they share transactions.
func BenchmarkCommitTogether(b *testing.B) {
	r := newRig(b, config(b.TempDir()))
	b.SetParallelism(16)
	before := r.Stats(context.Background())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Commit(context.Background(), queued()); err != nil {
				b.Error(err)
			}
		}
	})
	after := r.Stats(context.Background())
	b.ReportMetric(float64(after.Commits-before.Commits)/float64(b.N), "commits/op")
}

// BenchmarkOpen is a start and a clean stop with a thousand remediations there.
func BenchmarkOpen(b *testing.B) {
	r := newRig(b, config(b.TempDir()))
	for i := range 1000 {
		r.commit(small(int64(i)))
	}
	for b.Loop() {
		r.reopen()
	}
}

// BenchmarkHeal is what one healed drift writes: its end, what is remembered, a
// step of the journal and a record.
func BenchmarkHeal(b *testing.B) {
	r := newRig(b, config(b.TempDir()))
	r.put(engine.DesiredDecision{Revisions: []engine.Revision{revision(1, engine.RevisionGood)}})
	n := int64(0)
	measure(b, r, func(int) {
		n++
		r.commit(&engine.Decision{Audit: []audit.Record{record("drift.heal", "File/motd")}, Desired: &engine.DesiredDecision{
			Drifts: []engine.Drift{ended(drift(n, "motd", "mode"), "healed")}, Resources: []engine.Resource{resource("motd", "c1")},
			Undo: []engine.Undo{undo(n, 1, nil)}, Settled: n - 1}})
	})
}

// BenchmarkAdopt is a decision that remembers 20,000 resources, and reading them.
func BenchmarkAdopt(b *testing.B) {
	r := newRig(b, config(b.TempDir()))
	var d engine.DesiredDecision
	for i := range 20_000 {
		d.Resources = append(d.Resources, resource(fmt.Sprintf("dir/file-%05d", i), "c1"))
	}
	b.Run("write", func(b *testing.B) { measure(b, r, func(int) { r.put(d) }) })
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if n := len(r.desired().Resources); n != len(d.Resources) {
				b.Fatal(n)
			}
		}
	})
}
