package contract

import (
	"encoding/json"
	"time"
)

// PolicyCreate is a policy in one of three shapes: the original's (`condition`
// with a `type`), ours as flat JSON (`condition` with `match` and `fire`), or a
// whole document (`apiVersion`, `kind`, `metadata`, `spec`).
type PolicyCreate struct {
	Name          string            `json:"name" maxLength:"255" example:"web-slow"`
	Description   *string           `json:"description" maxLength:"4096"`
	Severity      *string           `json:"severity" enum:"info,warning,critical" default:"warning"`
	Target        *string           `json:"target" maxLength:"255" default:"all"`
	Enabled       *bool             `json:"enabled" default:"true"`
	AutoRemediate *bool             `json:"auto_remediate" doc:"Of the original's shape: false records what would have been done" default:"false"`
	Condition     map[string]any    `json:"condition" doc:"metric_exceeds, metric_below, all, any; or match and fire"`
	Action        *string           `json:"action" maxLength:"255" example:"restart"`
	Params        map[string]any    `json:"params"`
	Mode          *string           `json:"mode" enum:"off,shadow,suggest,act"`
	DependsOn     []string          `json:"depends_on" maxItems:"100"`
	Accept        *string           `json:"accept" enum:"open" doc:"open: samples of unauthenticated callers may lead to acts"`
	Labels        map[string]string `json:"labels"`
	Remedy        map[string]any    `json:"remedy" doc:"target, ladder, verify, cooldown, limit, cost"`

	APIVersion *string        `json:"apiVersion" example:"vigil/v1"`
	Kind       *string        `json:"kind" example:"Policy"`
	Metadata   map[string]any `json:"metadata"`
	Spec       map[string]any `json:"spec"`
}

// PolicyUpdate changes the fields that it names and leaves the others.
type PolicyUpdate struct {
	Description   *string        `json:"description" maxLength:"4096"`
	Severity      *string        `json:"severity" enum:"info,warning,critical"`
	Target        *string        `json:"target" maxLength:"255"`
	Enabled       *bool          `json:"enabled"`
	AutoRemediate *bool          `json:"auto_remediate"`
	Params        map[string]any `json:"params"`
	Condition     map[string]any `json:"condition"`
	Action        *string        `json:"action" maxLength:"255"`
	Mode          *string        `json:"mode" enum:"off,shadow,suggest,act"`
	DependsOn     []string       `json:"depends_on" maxItems:"100"`
	Remedy        map[string]any `json:"remedy"`

	APIVersion *string        `json:"apiVersion"`
	Kind       *string        `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       map[string]any `json:"spec"`
}

// Policy is a policy as it stands. The first seven fields are the original's.
type Policy struct {
	Name          string         `json:"name"`
	Description   string         `json:"description"`
	Severity      string         `json:"severity" enum:"info,warning,critical"`
	Target        string         `json:"target"`
	Enabled       bool           `json:"enabled"`
	Params        map[string]any `json:"params"`
	AutoRemediate bool           `json:"auto_remediate"`

	Mode      string            `json:"mode" enum:"off,shadow,suggest,act"`
	Action    string            `json:"action,omitempty"`
	Condition json.RawMessage   `json:"condition"`
	Remedy    json.RawMessage   `json:"remedy,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	DependsOn []string          `json:"depends_on,omitempty"`
	Accept    string            `json:"accept,omitempty"`
	Owner     string            `json:"owner" enum:"builtin,folder,git,api"`
	Place     string            `json:"place,omitempty"`
	Version   int64             `json:"version" doc:"Give it as If-Match to change just this version"`
	Instances int               `json:"instances"`
	Firing    int               `json:"firing"`
	Bytes     int               `json:"window_bytes"`
	CreatedAt *time.Time        `json:"created_at"`
	UpdatedAt *time.Time        `json:"updated_at"`
}

// PolicyList is policies by name.
type PolicyList struct {
	OK           bool              `json:"ok"`
	Policies     map[string]Policy `json:"policies"`
	Total        int               `json:"total"`
	EnabledCount int               `json:"enabled_count"`
}

// EvaluateRequest asks what the policies would say of these values.
type EvaluateRequest struct {
	Metrics map[string]any `json:"metrics" required:"true" doc:"Name to number; text and booleans are read as numbers where they can be"`
	Target  *string        `json:"target" maxLength:"255"`
}

// EvaluateResult is what would happen. Nothing was done and nothing recorded.
type EvaluateResult struct {
	OK               bool        `json:"ok"`
	Violations       []Violation `json:"violations"`
	ActionsTriggered []Triggered `json:"actions_triggered"`
	Timestamp        time.Time   `json:"timestamp"`
}

// Violation is one policy that would fire.
type Violation struct {
	PolicyName  string    `json:"policy_name"`
	Severity    string    `json:"severity"`
	Description string    `json:"description"`
	Target      string    `json:"target"`
	Timestamp   time.Time `json:"timestamp"`
	Action      string    `json:"action"`
	TriggeredAt time.Time `json:"triggered_at"`
}

// Triggered is an act that a violation would lead to. `status` is `dry_run`,
// since nothing was done; `unknown_action` where no policy names an act.
type Triggered struct {
	Action     string         `json:"action"`
	Target     string         `json:"target"`
	Status     string         `json:"status" enum:"dry_run,unknown_action"`
	Params     map[string]any `json:"params"`
	ActionID   *int64         `json:"action_id" doc:"Always null: a dry run makes no action"`
	PolicyName string         `json:"policy_name"`
}

// RunnerStatus is the evaluator, where the original had a runner.
type RunnerStatus struct {
	OK     bool   `json:"ok"`
	Runner Runner `json:"runner"`
}

// Runner tells the original's fields; evaluation here is by sample, not by
// interval, so the interval is 0.
type Runner struct {
	Enabled         bool    `json:"enabled"`
	Running         bool    `json:"running"`
	IntervalSeconds float64 `json:"interval_seconds"`
	BatchSize       int     `json:"batch_size"`
	Evaluations     uint64  `json:"evaluations"`
	Queue           int     `json:"queue"`
	LagSeconds      float64 `json:"lag_seconds"`
}

// Firing is one instance of a policy that is not ok.
type Firing struct {
	Policy      string            `json:"policy"`
	Severity    string            `json:"severity"`
	Fingerprint string            `json:"fingerprint"`
	Labels      map[string]string `json:"labels"`
	Target      string            `json:"target"`
	State       string            `json:"state" enum:"ok,pending,firing,recovering,unknown,flapping,suppressed"`
	Since       *time.Time        `json:"since"`
	Value       *float64          `json:"value" doc:"null when it is no finite number"`
	By          string            `json:"by,omitempty" doc:"The cause that suppresses it"`
	Warm        bool              `json:"warm"`
}

// FiringList is instances as they stand.
type FiringList struct {
	Firings []Firing `json:"firings"`
	Total   int      `json:"total"`
}

// Story is the answer to why and why-not.
type Story struct {
	Headline string      `json:"headline"`
	Lines    []StoryLine `json:"lines"`
}

// StoryLine is one step of a story.
type StoryLine struct {
	Time     string          `json:"time,omitempty"`
	Text     string          `json:"text"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}
