package chunk

import (
	"math"

	"vigil/engine/series"
)

// pow10 are the powers of ten that a float64 holds exactly and that leave room
// for a value beside them.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// limit keeps integers where float64 is exact.
const limit = 1 << 53

func bits(v float64) uint64   { return math.Float64bits(v) }
func unbits(u uint64) float64 { return math.Float64frombits(u) }

func constant(pts []series.Point) bool {
	first := bits(pts[0].V)
	for i := range pts {
		if bits(pts[i].V) != first {
			return false
		}
	}
	return true
}

// decimal writes the values as integers of one power of ten. ok is false unless
// every value comes back with the same bits from float64(integer)/10^scale,
// which is how it will be read.
func decimal(out []int64, pts []series.Point) (scale int, ok bool) {
	p := pow10[0]
	rose := 0 // the last point at which the scale rose
	for i := range pts {
		v := pts[i].V
		for {
			if x := v * p; x > -limit && x < limit {
				n := int64(math.RoundToEven(x))
				if bits(float64(n)/p) == bits(v) {
					out[i] = n
					break
				}
			} else {
				return 0, false
			}
			if scale++; scale == len(pow10) {
				return 0, false
			}
			p, rose = pow10[scale], i
		}
	}
	// What was written before the scale rose is written again, and checked
	// again: a large value may not have room for the final scale.
	for i := range pts[:rose] {
		x := pts[i].V * p
		if x <= -limit || x >= limit {
			return 0, false
		}
		n := int64(math.RoundToEven(x))
		if bits(float64(n)/p) != bits(pts[i].V) {
			return 0, false
		}
		out[i] = n
	}
	return scale, true
}
