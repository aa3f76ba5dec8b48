package series

import "math"

// Ref names a series for good: persisted, never reused, never zero.
type Ref uint64

// Local is a small dense index of a live series within this process. It is
// reused once its series is dropped, so it may index a slice and never leaves
// the process.
type Local uint32

// Point is one sample of a series whose identity is known from context.
type Point struct {
	T int64 // Unix ms
	V float64
}

// NoTime as a point's T asks for the time of receipt.
const NoTime = math.MinInt64

// staleBits is the NaN with which Prometheus ends a series.
const staleBits = 0x7ff0000000000002

// Stale is the marker that ends an instance.
func Stale() float64 { return math.Float64frombits(staleBits) }

// IsStale reports whether v is the stale marker (and not just any NaN).
func IsStale(v float64) bool { return math.Float64bits(v) == staleBits }
