package ledger_test

import "testing"

// brief says that a test that goes through thousands of states should look at
// fewer: in a short run, and under the race detector, which makes SQLite twenty
// times slower and finds nothing more in the thousandth state. The whole counts
// run without it.
func brief() bool { return testing.Short() || racing }
