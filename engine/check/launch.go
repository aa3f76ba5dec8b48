package check

import "vigil/engine/check/probe"

// What a `program` check asks of the launcher that the daemon hands in. The
// types stand with the kinds that use them.
type (
	// Launch runs one program to its end. It blocks; concurrent.
	Launch = probe.Launch
	// Command is a catalogue entry, or a plugin by file name.
	Command = probe.Command
	// Ended is how it ended.
	Ended = probe.Ended
)
