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
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Rules are the configuration as the gates apply it.
type Rules struct {
	remedy.Config
	digest  string // of the configuration, for evidence
	edition int    // whose gates are asked; 0: that of today
}

// New makes rules of a valid configuration.
func New(c remedy.Config) (*Rules, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return Stored(Told(c))
}

// ConfigVerb and ConfigObject are those of the record that keeps a configuration.
const (
	ConfigVerb   = "config.gates"
	ConfigObject = "config:remedy"
)

// Told is a configuration as an audit record keeps it, for evidence refers to it by
// its digest alone.
func Told(c remedy.Config) json.RawMessage { return audit.Evidence(c) }

// Stored makes rules of a configuration that Told wrote. Corrupt: it is none.
func Stored(told json.RawMessage) (*Rules, error) {
	sum := sha256.Sum256(told)
	c := &Rules{digest: hex.EncodeToString(sum[:8])}
	if err := json.Unmarshal(told, &c.Config); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "the configuration of the gates")
	}
	return c, nil
}

// Of is c with the gates of an edition of the evidence: one that came later was not
// asked then.
func (c *Rules) Of(edition int) *Rules {
	of := *c
	of.edition = edition
	return &of
}

// Digest names the configuration in evidence.
func (c *Rules) Digest() string { return c.digest }
