// Package conform is what every ledger must do, whatever it is kept in: one suite
// of checks that a store passes or not.
//
// It asks through the ports that the engine, the worker, the keeper and the HTTP
// face use, and through nothing else: decisions whole or not at all, versions
// compared, claims that exclude each other, gates that look back on the truth, an
// audit chain, pages that stand still, and all of it still so after a crash. How
// files are damaged, locked and restored is each store's own and not asked here.
//
// For tests alone. It imports the engine's nouns and no store; each check has a
// place of its own and starts nothing that outlives it.
package conform

import (
	"slices"
	"testing"

	"vigil/engine/ledger/conform/acts"
	"vigil/engine/ledger/conform/desired"
	"vigil/engine/ledger/conform/stand"
)

// Checks are all of them. docs/promises.md names them behind the test that runs
// them: `TestLedgerConforms/CommitIsAllOrNothing`.
func Checks() []stand.Check {
	own := []stand.Check{
		{Name: "RestartForgetsNothing", Do: restartForgetsNothing},
		{Name: "CommitIsAllOrNothing", Do: commitIsAllOrNothing},
		{Name: "CommitFollowsTheModel", Do: commitFollowsTheModel},
		{Name: "VersionsCount", Do: versionsCount},
		{Name: "BoundsAreKept", Do: boundsAreKept},
		{Name: "PositionNeverGoesBack", Do: positionNeverGoesBack},
		{Name: "WritersAtOnceAreWhole", Do: writersAtOnceAreWhole},
		{Name: "ReadsAreOfOneMoment", Do: readsAreOfOneMoment},
		{Name: "WhoStoppedWaitingChangesNothing", Do: whoStoppedWaitingChangesNothing},
		{Name: "UncleanStartsAreCounted", Do: uncleanStartsAreCounted},
		{Name: "CrashLosesNothingAcknowledged", Do: crashLosesNothingAcknowledged},
		{Name: "FailureIsToldAndLeavesNothingHalf", Do: failureIsToldAndLeavesNothingHalf},
		{Name: "TrimmingKeepsWhatIsNotOver", Do: trimmingKeepsWhatIsNotOver},

		{Name: "AuditIsReadBack", Do: auditIsReadBack},
		{Name: "ExportThenPrune", Do: exportThenPrune},
		{Name: "TokenChangesAreAuditedTogether", Do: tokenChangesAreAuditedTogether},
		{Name: "ReplaysAreKept", Do: replaysAreKept},
	}
	return slices.Concat(own, acts.Checks(), desired.Checks())
}

// Run puts a store through all of them.
func Run(t *testing.T, bed stand.Bed) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) { c.Do(stand.New(t, bed)) })
	}
}
