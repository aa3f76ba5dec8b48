package launch

import "time"

// Program is one program to start.
type Program struct {
	Argv      []string // absolute path first
	Stdin     []byte
	Env       []string // exactly this environment, and VIGIL_LAUNCH
	Dir       string   // "" is /
	User      string   // "" is vigild's own; all supplementary groups are dropped with it
	Group     string
	Timeout   time.Duration     // 0 is a minute: nothing runs for ever
	KillAfter time.Duration     // between SIGTERM and SIGKILL of the whole tree; 0 is a second
	Output    int               // cap in bytes, head and tail; 0 is 64 KiB
	Limits    map[string]uint64 // rlimits by name: nofile, as, cpu, nproc, fsize, core, stack, memlock

	SHA256   string // hex digest the executable must have; "" any
	Separate bool   // keep stderr apart, in Outcome.Stderr
	KillRest bool   // kill what the program left running when it ended by itself
}

// Outcome is how a program ended.
type Outcome struct {
	Exit      int    // -1 when a signal ended it
	Signal    string // its name, "" none
	TimedOut  bool
	Cancelled bool   // the caller's context ended it
	Output    string // capped, valid UTF-8, control bytes escaped
	Stderr    string // likewise; only with Program.Separate
	Left      int    // processes it left running, as far as the cgroup shows them
	Took      time.Duration
}

// What a zero field of a Program stands for.
const (
	DefaultTimeout   = time.Minute
	DefaultKillAfter = time.Second
	DefaultOutput    = 64 << 10
)

func (p Program) withDefaults() Program {
	if p.Timeout <= 0 {
		p.Timeout = DefaultTimeout
	}
	if p.KillAfter <= 0 {
		p.KillAfter = DefaultKillAfter
	}
	if p.Output <= 0 {
		p.Output = DefaultOutput
	}
	if p.Dir == "" {
		p.Dir = "/"
	}
	return p
}
