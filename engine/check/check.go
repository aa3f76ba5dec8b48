// Package check measures it ourselves: the host (room host) and the probes (room
// probe, one file per kind), on one scheduler.
//
// A check measures; the policy over it judges. Checks are declared in YAML
// beside the policies, run with jitter, timeout and a bounded number in flight,
// and emit samples under node_exporter's names where one exists and `vigil_*`
// otherwise. A series that is no longer measured is ended; a check that still
// runs when it is due again is counted and never stacked; no step of the wall
// clock moves an interval.
//
// It refuses effects: programs are started through a launcher handed in, and
// never through a shell. A check that could not run is itself a sample. [Runner]
// starts goroutines in Run alone and has ended them all when Run returns, but for
// calls that hang in the kernel on a dead file system.
package check

import "vigil/engine/check/probe"

// Emit takes one sample; the time is the time of receipt. Not concurrent.
type Emit = probe.Emit

// Check is one thing that can be measured; see [probe.Check].
type Check = probe.Check
