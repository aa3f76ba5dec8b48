//go:build race

package vigilsim

// day is how much of a day a seed lives through, and planted how many bugs are
// planted: under the race detector SQLite takes ten times as long.
const (
	day     = 1.0 / 48
	planted = 4
)
