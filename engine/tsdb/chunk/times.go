package chunk

import (
	"vigil/engine/series"
)

// Times are stored as steps between neighbours, or as the changes of those
// steps (delta of delta), whichever is shorter; nothing at all when every step
// is the same.
const (
	timeSteps   = 0
	timeChanges = 1
)

// regular says whether span and count alone give every time back.
func regular(pts []series.Point) bool {
	n := uint64(len(pts) - 1)
	if n == 0 {
		return true
	}
	span := uint64(pts[len(pts)-1].T) - uint64(pts[0].T)
	step := span / n
	if step*n != span {
		return false
	}
	for i := 1; i < len(pts); i++ {
		if uint64(pts[i].T)-uint64(pts[i-1].T) != step {
			return false
		}
	}
	return true
}

func appendTimes(dst []byte, pts []series.Point) []byte {
	var steps, changes [MaxCount]int64
	n := len(pts) - 1
	for i := range n {
		steps[i] = pts[i+1].T - pts[i].T
	}
	changes[0] = steps[0]
	for i := 1; i < n; i++ {
		changes[i] = steps[i] - steps[i-1]
	}
	if measure(steps[:n]).size <= measure(changes[1:n]).size+uvarintLen(zigzag(steps[0])) {
		return appendInts(append(dst, timeSteps), steps[:n])
	}
	dst = append(dst, timeChanges)
	dst = appendInts(dst, changes[:1])
	return appendInts(dst, changes[1:n])
}

// times fills out with the chunk's times and says whether they ascend from mint
// to mint+span.
func (r *reader) times(out []int64, mint int64, span uint64, even bool) bool {
	n := uint64(len(out) - 1)
	out[0] = mint
	if n == 0 {
		return span == 0
	}
	if even {
		step := span / n
		if step == 0 || step*n != span {
			return false
		}
		for i := range out {
			out[i] = int64(uint64(mint) + uint64(i)*step)
		}
		return out[len(out)-1] >= mint
	}
	switch r.byte() {
	case timeSteps:
		if !r.ints(out[1:]) {
			return false
		}
	case timeChanges:
		if !r.ints(out[1:2]) || !r.ints(out[2:]) {
			return false
		}
		for i := 2; i < len(out); i++ {
			out[i] += out[i-1]
		}
	default:
		return false
	}
	for i := 1; i < len(out); i++ {
		next := int64(uint64(out[i-1]) + uint64(out[i]))
		if next <= out[i-1] {
			return false
		}
		out[i] = next
	}
	return uint64(out[len(out)-1])-uint64(mint) == span
}
