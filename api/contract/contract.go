// Package contract is the shapes of the HTTP face, one file per noun: what the
// server writes and what the client reads are the same Go types, so they cannot
// drift apart. The tags say the rules of the wire (lengths, choices, examples);
// the OpenAPI document is made from them.
//
// The fields of the original system's answers are all here, under its names;
// ours stand beside them. Times are RFC 3339 with Z. Optional times are
// pointers, null when there was none.
//
// It refuses behaviour: no I/O, no state, nothing but types and the conversion
// of a time. It imports nothing of ours but the clock.
package contract

import (
	"time"

	"vigil/engine/clock"
)

// Time is a stamp as the wire shows it.
func Time(s clock.Stamp) time.Time { return s.Time().UTC() }

// Maybe is a stamp that may be never.
func Maybe(s clock.Stamp) *time.Time {
	if s.IsZero() {
		return nil
	}
	t := Time(s)
	return &t
}

// Said is a text that is null when there is none.
func Said(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// OK is the plain yes.
type OK struct {
	OK      bool   `json:"ok" example:"true"`
	Message string `json:"message" example:"Policy 'web-slow' deleted"`
}

// Health is the answer of the health routes: a constant, it looks at nothing.
type Health struct {
	Status  string `json:"status" example:"healthy"`
	Service string `json:"service" example:"vigil"`
}

// Ready is the answer of /readyz.
type Ready struct {
	Ready    bool     `json:"ready"`
	Reasons  []string `json:"reasons" doc:"Why it is not ready"`
	Degraded []string `json:"degraded" doc:"What is not as it should be, though requests are served"`
}

// Status is the host and its daemon in a few lines.
type Status struct {
	Node       string         `json:"node"`
	Version    string         `json:"version"`
	Started    time.Time      `json:"started_at"`
	Uptime     float64        `json:"uptime_seconds"`
	HostUptime float64        `json:"host_uptime_seconds"`
	Ready      bool           `json:"ready"`
	Reasons    []string       `json:"reasons"`
	Degraded   []string       `json:"degraded"`
	Auth       string         `json:"auth" enum:"auto,open,token"`
	Policies   int            `json:"policies"`
	Instances  int            `json:"instances"`
	Firing     int            `json:"firing"`
	Pending    int            `json:"pending"`
	Actions    map[string]int `json:"actions" doc:"Remediations by state, since they were kept"`
	Holds      []Hold         `json:"holds" doc:"What is not acted on now"`
	Lag        float64        `json:"evaluation_lag_seconds"`
	Samples    uint64         `json:"samples_received"`
	Checks     Checks         `json:"checks" doc:"How vigild's own checks stand"`
}

// BackupRequest asks for a copy of the stores.
type BackupRequest struct {
	Dir string `json:"dir" required:"true" minLength:"1" maxLength:"4096" example:"/backup/vigil-monday" doc:"Absolute path of a folder that does not exist yet, on the daemon's host"`
}
