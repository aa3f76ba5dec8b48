package host

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// times is the clock: the time, the uptime, and whether anything disciplines
// the clock (adjtimex, which needs no right when it only asks).
type times struct {
	uptimePath                                                      string
	adjtimex                                                        func(*unix.Timex) (int, error)
	now, uptime, sync, offset, maxerror, esterror, status, freqrate series.Labels
}

func newTimes(cfg Config) *times {
	return &times{
		uptimePath: cfg.Proc + "/uptime",
		adjtimex:   unix.Adjtimex,
		now:        kernel.One("node_time_seconds"),
		uptime:     kernel.One("vigil_host_uptime_seconds"),
		sync:       kernel.One("node_timex_sync_status"),
		offset:     kernel.One("node_timex_offset_seconds"),
		maxerror:   kernel.One("node_timex_maxerror_seconds"),
		esterror:   kernel.One("node_timex_estimated_error_seconds"),
		status:     kernel.One("node_timex_status"),
		freqrate:   kernel.One("node_timex_frequency_adjustment_ratio"),
	}
}

func (t *times) Names() []string {
	return kernel.LabelNames(t.now, t.uptime, t.sync, t.offset, t.maxerror, t.esterror, t.status, t.freqrate)
}

// Of adjtimex(2).
const (
	timeError = 5      // the clock is not synchronized
	staNano   = 0x2000 // offset is in nanoseconds
)

func (t *times) Collect(ctx context.Context, r *kernel.Round) error {
	r.Emit(t.now, float64(r.Now.Wall)/1e6)
	if b, err := r.Read(t.uptimePath); err == nil {
		if v, _, ok := kernel.Next(b); ok {
			r.Emit(t.uptime, v)
		}
	}
	var x unix.Timex
	state, err := t.adjtimex(&x)
	if err != nil {
		return fmt.Errorf("adjtimex: %w", err)
	}
	synced, unit := 1.0, 1e-6
	if state == timeError {
		synced = 0
	}
	if x.Status&staNano != 0 {
		unit = 1e-9
	}
	r.Emit(t.sync, synced)
	r.Emit(t.offset, float64(x.Offset)*unit)
	r.Emit(t.maxerror, float64(x.Maxerror)/1e6)
	r.Emit(t.esterror, float64(x.Esterror)/1e6)
	r.Emit(t.status, float64(x.Status))
	r.Emit(t.freqrate, 1+float64(x.Freq)/65536/1e6) // ppm with 16 bits of fraction
	return nil
}
