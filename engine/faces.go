package engine

import (
	"encoding/json"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// PolicyDocument is a policy as a person writes it, whichever way it came: the
// YAML spec, its JSON, and (translated) the original's shapes.
type PolicyDocument struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Description string            `json:"description,omitempty"`
	Severity    string            `json:"severity"` // info, warning, critical
	Mode        string            `json:"mode"`     // off, shadow, suggest, act
	Enabled     bool              `json:"enabled"`
	Condition   policy.Spec       `json:"condition"`
	DependsOn   []string          `json:"depends_on,omitempty"`
	Accept      string            `json:"accept,omitempty"` // "open"
	Remedy      *remedy.Plan      `json:"remedy,omitempty"`

	// Fields of the original's shape, kept so that they are given back.
	Target        string         `json:"target,omitempty"`
	AutoRemediate *bool          `json:"auto_remediate,omitempty"`
	Params        map[string]any `json:"params,omitempty"`
	Action        string         `json:"action,omitempty"`
}

// PolicyView is a policy as it stands.
type PolicyView struct {
	PolicyDocument
	Owner     document.Owner `json:"owner"`
	Place     string         `json:"place,omitempty"`
	Version   int64          `json:"version"`
	Instances int            `json:"instances"`
	Firing    int            `json:"firing"`
	Bytes     int            `json:"window_bytes"`
	Created   clock.Stamp    `json:"-"`
	Updated   clock.Stamp    `json:"-"`
}

// ActionView is one action that can be named, and where it is defined.
type ActionView struct {
	Name, Kind        string            // the kind of an entry; of a kind itself its name
	From, Description string            // From: built in, the local config, or place and commit of the repository
	Params            map[string]string // of an entry: name to pattern
}

// FiringView is one instance as it stands.
type FiringView struct {
	Policy      string        `json:"policy"`
	Severity    string        `json:"severity"`
	Fingerprint string        `json:"fingerprint"` // hex
	Labels      series.Labels `json:"-"`
	Target      string        `json:"target"`
	State       policy.State  `json:"state"`
	Since       clock.Stamp   `json:"-"`
	Value       float64       `json:"value"`
	By          string        `json:"by,omitempty"`
	Warm        bool          `json:"warm"`
}

// DryRun is the answer to POST /policies/evaluate: what the policies would say
// of these values now, with nothing recorded and nothing done.
type DryRun struct {
	Violations []Violation
}

// Violation is one policy that would fire.
type Violation struct {
	Policy PolicyView
	Target string
	Action string // the first rung's, or the original's word
	At     clock.Stamp
}

// ActionRequest asks for a direct action (POST /api/v1/actions).
type ActionRequest struct {
	Target   string
	Action   string // a kind, a catalogue name, one of the original's spellings, or unknown (external)
	With     map[string]any
	Details  string
	Priority string
	Queue    bool // false: pending until approved
	Strict   bool // a name that is unknown and near a known one is refused
	Reason   string
}

// Story is the answer to why and why-not: headline, then lines with their time
// and, where there is any, evidence.
type Story struct {
	Headline string      `json:"headline"`
	Lines    []StoryLine `json:"lines"`
}

// StoryLine is one step of a story.
type StoryLine struct {
	At       clock.Stamp     `json:"-"`
	Time     string          `json:"time,omitempty"` // RFC 3339
	Text     string          `json:"text"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}

// Stats is the engine seen from outside, for /metrics and vigild's own series.
type Stats struct {
	Policies, Instances int
	Firing, Pending     int
	Evaluations         uint64
	Queue, QueueCap     int     // watched samples waiting, and how many may
	LagSeconds          float64 // age of the oldest sample that waits
	Late, Refused       uint64  // samples not windowed; samples refused
	Decisions           uint64
	CommitErrors        uint64
	WindowBytes         int64
	UnnamedSelectors    int
}
