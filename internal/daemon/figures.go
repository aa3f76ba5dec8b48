package daemon

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"vigil/api/meter"
)

var ledgerNames = []string{
	"vigil_ledger_commits_total", "vigil_ledger_failures_total", "vigil_ledger_reopened_total", "vigil_ledger_written_bytes_total",
	"vigil_ledger_checkpoints_total", "vigil_ledger_log_bytes", "vigil_ledger_bytes", "vigil_ledger_ballast", "vigil_ledger_quarantined",
	"vigil_audit_records_total", "vigil_ledger_epoch",
}

func (h *house) ledgerFigures(emit func(meter.Figure)) {
	// A context that has ended leaves the row counts out: they are scans, and
	// these figures are told every few seconds.
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	s := h.ledger.Stats(ended)
	emit(counter("vigil_ledger_commits_total", "Transactions of the ledger made durable.", s.Commits))
	emit(counter("vigil_ledger_failures_total", "Transactions of the ledger that could not be written.", s.Failures))
	emit(counter("vigil_ledger_reopened_total", "Writers of the ledger thrown away after a failure.", s.Reopened))
	emit(counter("vigil_ledger_written_bytes_total", "Bytes that the ledger wrote to flash.", uint64(s.BytesWritten)))
	emit(counter("vigil_ledger_checkpoints_total", "Checkpoints of the ledger.", s.Checkpoints))
	emit(gauge("vigil_ledger_log_bytes", "Write-ahead log of the ledger in use.", float64(s.LogBytes)))
	emit(gauge("vigil_ledger_bytes", "Size of the ledger.", float64(s.FileBytes)))
	ballast := 0.0
	if s.BallastThere {
		ballast = 1
	}
	emit(gauge("vigil_ledger_ballast", "1 while the bytes kept for a full disk are there.", ballast))
	emit(gauge("vigil_ledger_quarantined", "Damaged ledgers that were moved aside.", float64(len(s.Quarantined))))
	emit(counter("vigil_audit_records_total", "Audit records ever written.", uint64(s.Head.Seq)))
	emit(gauge("vigil_ledger_epoch", "Grows when a backup is restored.", float64(s.Epoch)))
}

var processNames = []string{"vigil_memory_bytes", "vigil_goroutines", "vigil_uptime_seconds", "vigil_cpu_seconds_total"}

// memory is what the Go runtime holds of the host's memory and has not given back.
var memorySamples = []string{"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/cpu/classes/total:cpu-seconds", "/cpu/classes/idle:cpu-seconds"}

func (h *house) processFigures(emit func(meter.Figure)) {
	got := make([]metrics.Sample, len(memorySamples))
	for i, n := range memorySamples {
		got[i].Name = n
	}
	metrics.Read(got)
	emit(gauge("vigil_memory_bytes", "Memory that the runtime holds.", float64(got[0].Value.Uint64()-got[1].Value.Uint64())))
	emit(gauge("vigil_goroutines", "Goroutines.", float64(runtime.NumGoroutine())))
	emit(meter.Figure{Name: "vigil_cpu_seconds_total", Help: "Processor time, as the runtime estimates it.", Value: got[2].Value.Float64() - got[3].Value.Float64(), Counter: true})
	since, _ := h.d.clock().Sub(h.began)
	emit(gauge("vigil_uptime_seconds", "Time since the start.", since.Round(time.Millisecond).Seconds()))
}
