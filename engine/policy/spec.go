// Package policy is what must hold: expressions over windows, and the life of
// a firing.
//
// A [Spec] is compiled once, when it is written, into a [Condition]; a
// condition makes one [Instance] per matched series, which takes points in and
// evaluates with no allocation; [Advance] moves a [Firing] on, purely.
//
// It refuses I/O, clocks (now is an argument), knowledge of remedies, and every
// part of the expression language that is not on the allow-list: the switch in
// the compiler of policy/lang is that list. Conditions are immutable and shared;
// an instance belongs to one goroutine.
package policy

import (
	"vigil/engine/document"
)

// Spec is the condition part of a policy document, as written. The field names
// are those of the document.
type Spec struct {
	Match      string             `yaml:"match" json:"match"`
	Fire       string             `yaml:"fire" json:"fire"`
	Clear      string             `yaml:"clear" json:"clear,omitempty"`
	For        document.Duration  `yaml:"for" json:"for,omitempty"`
	ClearFor   document.Duration  `yaml:"clear_for" json:"clear_for,omitempty"`
	Times      *Times             `yaml:"times" json:"times,omitempty"`
	NoData     NoData             `yaml:"no_data" json:"no_data,omitempty"`         // "" is unknown
	StaleAfter *document.Duration `yaml:"stale_after" json:"stale_after,omitempty"` // nil: 5 x the series' interval, at least 1 min
	On         []string           `yaml:"on" json:"on,omitempty"`                   // labels that joins compare; empty: all of the series
	Flapping   *Flapping          `yaml:"flapping" json:"flapping,omitempty"`
	// Target is the original's glob or name; when set, instances whose target
	// label does not match are left out. "" , "all" and "*" match everything.
	Target string `yaml:"-" json:"target,omitempty"`
}

// Times asks for X breaches among the last Of evaluations.
type Times struct {
	X  int `yaml:"x" json:"x"`
	Of int `yaml:"of" json:"of"`
}

// Flapping bounds how often a firing may change before it counts as flapping.
type Flapping struct {
	Changes int               `yaml:"changes" json:"changes"` // default 6
	Within  document.Duration `yaml:"within" json:"within"`   // default 10m
	Calm    document.Duration `yaml:"calm" json:"calm"`       // default 10m
}

// NoData says what becomes of a firing whose series fell silent.
type NoData string

// The choices.
const (
	NoDataKeep    NoData = "keep"
	NoDataOK      NoData = "ok"
	NoDataFire    NoData = "fire"
	NoDataUnknown NoData = "unknown"
)
