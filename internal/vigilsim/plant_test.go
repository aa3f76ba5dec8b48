package vigilsim

import (
	"vigil/engine"
	"vigil/engine/remedy"
)

// plant is a bug of the engine that a test puts in, between the rooms.
type plant struct {
	history func(*remedy.History)                           // what the gates look back on
	facts   func(*remedy.Facts)                             // what they are told
	verify  func(remedy.Verification) remedy.Verification   // what came of it
	move    func(before remedy.Remediation, m *remedy.Move) // what a claim writes
}

func (p plant) journal(j engine.Journal) engine.Journal { return j }
func (p plant) ledger(l remedy.Ledger) remedy.Ledger    { return l }
func (p plant) judge(j remedy.Judge) remedy.Judge       { return j }
