// Package actions is acts out: one file per kind, over the one launcher through
// which every program is started.
//
// Only this room and those under it change anything outside the data
// directory. Kinds are listed in one slice; the catalogue of named exec and http
// actions comes from the local config alone.
//
// It refuses to decide: it has no gates, no retries, no knowledge of policies;
// and it refuses shells, pasted text, and a catalogue that others can write.
// New starts nothing. [Set.Run] owns the supervisor of `[[process]]`, blocks
// until ctx ends, and leaves those processes running when vigild stops.
package actions
