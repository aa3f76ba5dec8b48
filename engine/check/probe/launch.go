package probe

import (
	"context"
	"time"
)

// Launch runs one program to its end for a `program` check; handed in by the
// daemon, carried out by actions. It blocks; concurrent. An error means that
// the program could not be started.
type Launch func(ctx context.Context, c Command) (Ended, error)

// Command is what a program check asks for: a catalogue entry, or a plugin by
// file name in one of the folders that the local config allows.
type Command struct {
	Name      string            // catalogue entry or plugin file name
	Args      []string          // for a plugin; checked by the launcher
	Params    map[string]string // for a catalogue entry
	User      string
	Timeout   time.Duration
	MaxOutput int
}

// Ended is how it ended.
type Ended struct {
	Exit     int // -1: killed by a signal
	TimedOut bool
	Output   []byte
}
