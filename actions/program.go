// Package actions is acts out: one file per kind, and the one launcher through
// which every program is started.
//
// Only this room changes anything outside the data directory. A program is an
// argv array, never a shell line; it runs in its own process group and cgroup,
// and its whole tree is gone at the timeout. Kinds are listed in one slice;
// the catalogue of named exec and http actions comes from the local config.
//
// It refuses to decide: it has no gates, no retries, no knowledge of policies.
// Supervised processes are owned by [Supervisor], whose Run blocks until ctx
// ends and which leaves the children running when vigild stops.
package actions

import "time"

// Program is one program to start.
type Program struct {
	Argv      []string // absolute path first
	Stdin     []byte
	Env       []string // exactly this environment
	Dir       string
	User      string // "" is vigild's own; all supplementary groups are dropped with it
	Group     string
	Timeout   time.Duration
	KillAfter time.Duration     // between SIGTERM and SIGKILL of the whole tree
	Output    int               // cap in bytes, head and tail; 0 is 64 KiB
	Limits    map[string]uint64 // rlimits by name: nofile, as, cpu, nproc, fsize
}

// Outcome is how a program ended.
type Outcome struct {
	Exit     int // -1 when a signal ended it
	Signal   string
	TimedOut bool
	Output   string // capped, valid UTF-8, control bytes escaped
	Took     time.Duration
}
