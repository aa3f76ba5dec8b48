package remedy

import (
	"context"
	"encoding/json"

	"vigil/engine/clock"
)

// Judge knows the conditions; the engine satisfies it.
type Judge interface {
	// Facts gathers what the gates need for a remediation, spec being that of
	// its current rung. Does not block on disk or network; concurrent.
	Facts(ctx context.Context, r Remediation, spec Spec) (Facts, error)

	// Verify blocks until enough samples younger than `after` show that the
	// remedy worked (or that it did not, by deadline). Unknown is not success.
	// A remediation without policy and without verify is verified at once.
	Verify(ctx context.Context, r Remediation, after, deadline clock.Stamp) (Verification, error)
}

// Verification is how a verification ended.
type Verification struct {
	OK       bool
	Unasked  bool // nobody asks any more whether it helped: neither a success nor a failure
	Fell     bool // what the act brought up has ended again; Reason says how
	Reason   string
	Evidence json.RawMessage
}

// Sight is what is known of an act whose end nobody saw.
type Sight uint8

// The sights.
const (
	NotSeen Sight = iota // nothing is known
	SeenDone
	SeenNotDone
)

// Capturer takes bounded evidence before a destructive act (engine/world).
// It returns within its own bound (2 s, 256 KiB) whatever happens.
type Capturer interface {
	Capture(ctx context.Context, subject string) json.RawMessage
}
