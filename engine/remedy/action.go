package remedy

import (
	"context"
	"errors"
	"time"

	"vigil/engine/clock"
)

// Class says what may be repeated when nobody saw the end of an act.
type Class string

// The classes.
const (
	Convergent Class = "convergent" // repeated until equal
	Probed     Class = "probed"     // repeated only if the probe says it was not done
	Unsafe     Class = "unsafe"     // at most once; else indeterminate
)

// Request asks one action kind for one act. Everything in it is data: values
// were substituted into whole elements already and are never parsed again.
type Request struct {
	Attempt  string         // Attempt.ID: unit name, idempotency key
	Action   string         // kind or catalogue name
	Source   Source         // who asks; what is for documents alone is held to it
	With     map[string]any // parameters, scalars as string, float64, bool
	Target   string
	Policy   string
	Severity string
	Rung     int // step of the ladder, from 0
	Labels   map[string]string
	Values   map[string]string // what the condition stood on at the claim, as text: value, age, avg("5m"), ...
	Reason   string
	Timeout  time.Duration
	Started  clock.Stamp // of the attempt; a Prober compares what it sees with it
	Back     bool        // what the keeper of the desired state did is taken back; no person and no policy asks so
}

// Spec is what a kind says of a request before anything happens.
type Spec struct {
	Subject string // canonical key of what is locked and limited: systemd:web.service
	Kind    string // the built-in kind behind the name: exec, service, ...
	Class   Class
	Cost    float64       // points of the host's autonomy budget
	Capture bool          // take evidence first
	Waits   bool          // the act is one question to somebody far away, or a pause: cutting it short leaves nothing half done here
	Timeout time.Duration // the kind's or the catalogue's, when the rung names none
	Summary string        // "restart web.service", for people
}

// Result is how an act ended.
type Result struct {
	OK       bool           `json:"ok"`
	Error    string         `json:"error,omitempty"`
	TimedOut bool           `json:"timed_out,omitempty"`
	Exit     *int           `json:"exit,omitempty"`
	Output   string         `json:"output,omitempty"` // at most 64 KiB, head and tail, valid UTF-8, control bytes escaped
	Data     map[string]any `json:"data,omitempty"`   // what the kind wants kept, its probe token included
	Unseen   bool           `json:"unseen,omitempty"` // it may have happened, but its end was not observed
	Stale    bool           `json:"stale,omitempty"`  // nothing was done: it is not as it was when the act was asked for
}

// Action is one kind, or one catalogue entry.
type Action interface {
	// Resolve checks the request and says what it would lock and cost. Pure,
	// does not block, concurrent. Errors are of kind Unprocessable and name the
	// parameter.
	Resolve(Request) (Spec, error)
	// Run acts and blocks until the act ended or ctx did; then everything it
	// started is killed. A failed act is a Result with OK false; an error means
	// that the act could not be started at all. Concurrent.
	Run(ctx context.Context, r Request) (Result, error)
}

// Prober is an Action of class Probed: Done says, after a crash, whether the
// act of r was done. It reads only.
type Prober interface {
	Done(ctx context.Context, r Request) (bool, error)
}

// ErrLeft is the cause with which the context of an act ends when vigild stops and
// the next start is to see to it: a Rejoiner's act is left to go on, and it is then
// the error of Run and of the wait that Rejoin gives; an act that only waits (see
// [Spec]) and is convergent ends at once, to be repeated. The attempt stays open.
var ErrLeft = errors.New("left to the next start")

// Rejoiner is an Action whose acts go on while vigild does not run.
type Rejoiner interface {
	// Rejoin takes up the act of an attempt that lies open. It does not block,
	// and takes at once what the act keeps others from. wait, which is called
	// once, blocks until the act has ended or ctx has, and answers as Run would;
	// begun false means that the act had not begun and now never will.
	Rejoin(r Request) (wait func(ctx context.Context) (res Result, begun bool, err error), err error)
}

// Undoer is an Action whose acts can be taken back.
type Undoer interface {
	// Undo says which request brings back what r would change as it stands now,
	// and keeps what that takes. It is asked before Run, changes nothing outside
	// the data directory, and may block; concurrent. Unsupported: not this one.
	Undo(ctx context.Context, r Request) (Request, error)
}

// Sweeper is an Action whose acts may leave something beside their place when they
// are cut short.
type Sweeper interface {
	// Sweep takes away what the act of an attempt left that lies open, and nothing
	// else; it may block; concurrent.
	Sweep(ctx context.Context, r Request) error
}

// Actions finds an action by kind or catalogue name; concurrent.
type Actions interface {
	Action(name string) (Action, bool)
	// Names lists every kind and catalogue entry, sorted, for suggestions.
	Names() []string
}
