package contract

import "time"

// Checks is how vigild's own checks stand.
type Checks struct {
	Total  int            `json:"total"`
	States map[string]int `json:"states" doc:"pending, up, down, error, grace or inactive; how many of each"`
	Unwell []Check        `json:"unwell" doc:"Those that are down, could not be measured or are in their grace; at most 100"`
}

// Check is one that is not as it was asked to be.
type Check struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`
	State       string     `json:"state" enum:"down,error,grace" doc:"down: measured, and not as asked; error: could not be measured; grace: down, but its process is young"`
	Reason      string     `json:"reason"`
	LastRun     *time.Time `json:"last_run"`
	LastSuccess *time.Time `json:"last_success"`
}
