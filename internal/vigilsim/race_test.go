//go:build race

package vigilsim

// day is how much of a day a seed lives through: under the race detector SQLite takes
// ten times as long.
const day = 1.0 / 24
