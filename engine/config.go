package engine

import (
	"log/slog"
	"time"

	"vigil/engine/remedy"
)

// Config is the engine's part of the configuration.
type Config struct {
	Shards        int           `toml:"shards"`        // evaluator shards; 0: one per core, at most 4
	Queue         int           `toml:"queue"`         // watched samples that may wait for evaluation
	PositionEvery time.Duration `toml:"-"`             // how often the evaluated position is stored without a decision
	BootGrace     time.Duration `toml:"-"`             // from the host's boot
	WindowMemory  int           `toml:"window_memory"` // bytes all windows of one policy may hold
	AuthOpen      bool          `toml:"-"`             // [api] auth = "open": origin is not looked at
	Remedy        remedy.Config `toml:"-"`             // [remedy]: what the gates count by, for why-not
	LocalNames    []string      `toml:"-"`             // metric names that only vigild's own checks may write
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{
		Queue:         200_000,
		PositionEvery: 30 * time.Second,
		BootGrace:     2 * time.Minute,
		WindowMemory:  32 << 20,
		Remedy:        remedy.Defaults(),
	}
}

// Deps is what the engine needs from others.
type Deps struct {
	Samples Samples
	Journal Journal
	Reader  Reader
	Actions remedy.Actions
	Notices Notices
	Clock   Clock
	Log     *slog.Logger
	// Subject is a subject by the name that its owner calls it, which an alias is
	// not; nil: every subject is called so already. It does not block.
	Subject func(string) string
}
