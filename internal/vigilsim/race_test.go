//go:build race

package vigilsim

// day is how much of a day a seed lives through, lived how many seeds there are by
// themselves, and planted how many bugs are planted: under the race detector SQLite
// takes ten times as long.
const (
	day     = 1.0 / 48
	lived   = 5
	planted = 2
)
