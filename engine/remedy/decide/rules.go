// Package decide is what is decided about a remediation, purely.
//
// It holds the gates in their order, the claim that asks them inside the
// ledger's transaction, what follows from how an act or a verification ended,
// what becomes of acts whose end nobody saw, and the verbs of people. Every
// function takes the row, what was found out and the moment, and returns the
// [remedy.Move] to write, audit records included; each change of state is
// checked against the table in package remedy.
//
// It refuses I/O, clocks, randomness that is not handed in, and state. All of
// it may be called concurrently, and again with the same answer: re-evaluating
// a stored decision gives that decision.
package decide

import (
	"vigil/engine/remedy"
)

// Rules are the configuration as the gates apply it.
type Rules struct{ remedy.Config }

// New makes rules of a valid configuration.
func New(c remedy.Config) (*Rules, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Rules{c}, nil
}
