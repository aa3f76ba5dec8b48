//go:build !race

package vigilsim

// day is how much of a day a seed lives through.
const day = 1.0
