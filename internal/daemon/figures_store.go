package daemon

import (
	"maps"
	"slices"

	"vigil/api/meter"
)

var storeNames = []string{
	"vigil_series", "vigil_samples_total", "vigil_samples_refused_by_reason_total", "vigil_samples_duplicate_total", "vigil_samples_overwritten_total",
	"vigil_samples_out_of_order_total", "vigil_log_position", "vigil_log_groups_total", "vigil_log_syncs_total", "vigil_log_bytes",
	"vigil_log_failures_total", "vigil_samples_db_bytes", "vigil_written_bytes_total", "vigil_cuts_total", "vigil_cut_seconds",
	"vigil_head_series", "vigil_oldest_sample_seconds", "vigil_era", "vigil_clock_held",
}

func (h *house) storeFigures(emit func(meter.Figure)) {
	s := h.store.Stats()
	emit(gauge("vigil_series", "Series.", float64(s.Series)))
	emit(counter("vigil_samples_total", "Samples taken.", s.Appended))
	for _, reason := range slices.Sorted(maps.Keys(s.Refused)) {
		emit(counter("vigil_samples_refused_by_reason_total", "Samples refused, by reason.", s.Refused[reason], "reason", reason))
	}
	emit(counter("vigil_samples_duplicate_total", "The same sample again.", s.Duplicates))
	emit(counter("vigil_samples_overwritten_total", "Same series and time with another value; the last won.", s.Overwritten))
	emit(counter("vigil_samples_out_of_order_total", "Samples older than the newest of their series.", s.OutOfOrder))
	emit(gauge("vigil_log_position", "Position of the next sample in the log.", float64(s.Position)))
	emit(counter("vigil_log_groups_total", "Group commits.", s.Groups))
	emit(counter("vigil_log_syncs_total", "Syncs of the log.", s.Syncs))
	emit(gauge("vigil_log_bytes", "Live segments of the log.", float64(s.LogBytes)))
	emit(counter("vigil_log_failures_total", "Writes of the log that failed.", s.LogFailures))
	emit(gauge("vigil_samples_db_bytes", "Size of samples.db.", float64(s.DBBytes)))
	emit(counter("vigil_written_bytes_total", "Bytes that the store wrote to flash.", s.BytesWritten))
	emit(counter("vigil_cuts_total", "Times that heads were packed into rows.", s.Cuts))
	emit(gauge("vigil_cut_seconds", "How long the newest cut took.", s.CutTook.Seconds()))
	emit(gauge("vigil_head_series", "Series with samples that are not packed yet.", float64(s.HeadSeries)))
	emit(gauge("vigil_oldest_sample_seconds", "Unix time of the oldest packed sample; 0: none.", float64(s.OldestMillis)/1000))
	emit(gauge("vigil_era", "Stretches of the log between steps of the wall clock.", float64(s.Era)))
	held := 0.0
	if s.ClockHeld {
		held = 1
	}
	emit(gauge("vigil_clock_held", "1 while retention by age waits for the clock to be confirmed.", held))
}

// storeReasons says why samples cannot be taken.
func (h *house) storeReasons() []string {
	if err := h.store.Health(); err != nil {
		return []string{"samples cannot be stored: " + err.Error()}
	}
	return nil
}

// storeDegraded says what of the store a person should look at.
func (h *house) storeDegraded() (out []string) {
	if h.store.ClockUnconfirmed() {
		out = append(out, "the wall clock stepped; nothing is deleted for its age until `vigild confirm-clock`")
	}
	if why := h.ledger.Replaced(); why != "" {
		out = append(out, "the ledger was lost: "+why)
	}
	return append(append(out, h.store.Trouble()...), h.ledger.Trouble()...)
}
