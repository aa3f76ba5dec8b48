//go:build !race

package vigilsim

// day is how much of a day a seed lives through, and planted how many bugs are
// planted: all of them.
const (
	day     = 1.0
	planted = 1000
)
