// Package vigilsim is the whole loop in a simulation: the real engine, the real
// worker and the real stores, in a bubble of testing/synctest where a day takes
// seconds, healing a made-up world that fails by the script of a seed.
//
// The daemon is stopped, killed between any two of its writes, and rebooted; the
// wall clock is set; people hold, cancel, approve and judge. A watcher that asks no
// gate counts anew what may be done, at the moment each act begins; afterwards the
// audit chain is read from its beginning and held against the world; and when the
// script's faults are over, all must become well within a bound.
//
// It holds no part of the daemon that listens, launches or hears of the kernel: those
// do not stand still with the bubble's time. internal/vigiltest runs the real binary.
package vigilsim
