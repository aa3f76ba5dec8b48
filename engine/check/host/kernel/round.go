package kernel

import (
	"errors"

	"vigil/engine/clock"
	"vigil/engine/series"
)

// Round is what an area is given: the reader it shares, the moment, the sink.
type Round struct {
	*Reader
	Now  clock.Stamp
	Emit func(series.Labels, float64)
}

// ErrAbsent says that this kernel or machine has no such thing, which is no
// failure.
var ErrAbsent = errors.New("not on this machine")
