package remedy

import (
	"vigil/engine/document"
)

// Plan is the remedy part of a policy document with its defaults filled in, or
// the one-rung plan of a direct action.
type Plan struct {
	Target   string             `yaml:"target" json:"target,omitempty"`
	Ladder   []Rung             `yaml:"ladder" json:"ladder"`
	Verify   *Verify            `yaml:"verify" json:"verify,omitempty"` // nil: the firing must clear
	Cooldown *document.Duration `yaml:"cooldown" json:"cooldown,omitempty"`
	Limit    *Limit             `yaml:"limit" json:"limit,omitempty"`
	Cost     *float64           `yaml:"cost" json:"cost,omitempty"`
	Approval *Approval          `yaml:"approval" json:"approval,omitempty"`
	Backoff  *Backoff           `yaml:"backoff" json:"backoff,omitempty"`
	Capture  *bool              `yaml:"capture" json:"capture,omitempty"`
	External bool               `yaml:"external" json:"external,omitempty"`
	// Mode is the policy's: off, shadow, suggest, act; "" is act.
	Mode string `yaml:"-" json:"mode,omitempty"`
	// Open lets samples of unauthenticated callers act (`accept: open`).
	Open bool `yaml:"-" json:"open,omitempty"`
	// Asked says that a person asked for this very act, as part of a revision that
	// has guards of its own, or to stop something: the gates that count acts do not
	// hold it.
	Asked bool `yaml:"-" json:"asked,omitempty"`
	// Named is the word that its one rung was asked for by, when that is not the
	// name of the action: a spelling of the original, kept for its clients.
	Named string `yaml:"-" json:"named,omitempty"`
}

// Rung is one step of the ladder.
type Rung struct {
	Action  string             `yaml:"action" json:"action"`
	With    map[string]any     `yaml:"with" json:"with,omitempty"`
	Timeout *document.Duration `yaml:"timeout" json:"timeout,omitempty"`
	Tries   int                `yaml:"tries" json:"tries,omitempty"`   // default 1
	Settle  *document.Duration `yaml:"settle" json:"settle,omitempty"` // default 5s
}

// Verify says how to see that it worked.
type Verify struct {
	Expr      string             `yaml:"expr" json:"expr,omitempty"` // "" : fire is no longer true
	Within    *document.Duration `yaml:"within" json:"within,omitempty"`
	Successes int                `yaml:"successes" json:"successes,omitempty"`
}

// Limit is at most Max acts per Per.
type Limit struct {
	Max int               `yaml:"max" json:"max" toml:"max"`
	Per document.Duration `yaml:"per" json:"per" toml:"per"`
}

// Approval asks for a person; the default answer is no.
type Approval struct {
	TTL *document.Duration `yaml:"ttl" json:"ttl,omitempty"` // default 1h
}

// Backoff is the wait between tries: Base x Factor^n with full jitter, at most
// Cap; it starts again after Quiet without an attempt.
type Backoff struct {
	Base   document.Duration `yaml:"base" json:"base,omitempty" toml:"base"`
	Factor float64           `yaml:"factor" json:"factor,omitempty" toml:"factor"`
	Cap    document.Duration `yaml:"cap" json:"cap,omitempty" toml:"cap"`
	Quiet  document.Duration `yaml:"quiet" json:"quiet,omitempty" toml:"quiet"`
}
