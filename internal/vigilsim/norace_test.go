//go:build !race

package vigilsim

// day is how much of a day a seed lives through, lived how many seeds there are by
// themselves, and planted how many bugs are planted: all of them.
const (
	day     = 1.0
	lived   = 20
	planted = 1000
)
