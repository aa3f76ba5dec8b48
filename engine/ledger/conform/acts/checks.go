// Package acts is what every ledger must do for those who act: claims that exclude
// each other, attempts on disk, what the gates look back on, the queue, and its
// listings. For tests alone; see conform, which runs it.
package acts

import "vigil/engine/ledger/conform/stand"

// Checks are all of them.
func Checks() []stand.Check {
	return []stand.Check{
		{Name: "TwoWorkersCannotBothPassOneLimit", Do: twoWorkersCannotBothPassOneLimit},
		{Name: "OneRemediationIsClaimedOnce", Do: oneRemediationIsClaimedOnce},
		{Name: "OneOpenAttemptPerSubject", Do: oneOpenAttemptPerSubject},
		{Name: "ClaimComparesVersions", Do: claimComparesVersions},
		{Name: "ClaimComesWithItsDecision", Do: claimComesWithItsDecision},
		{Name: "UnfinishedIsWhatACrashLeft", Do: unfinishedIsWhatACrashLeft},
		{Name: "AttemptsComeBackWhole", Do: attemptsComeBackWhole},
		{Name: "GateStateSurvivesRestart", Do: gateStateSurvivesRestart},
		{Name: "HistoryStopsAtTheFirstOldStart", Do: historyStopsAtTheFirstOldStart},
		{Name: "HistoryStandsFirmWhenClocksMove", Do: historyStandsFirmWhenClocksMove},
		{Name: "DueIsInOrderAndOnTime", Do: dueIsInOrderAndOnTime},
		{Name: "ListingFilters", Do: listingFilters},
		{Name: "PagesStandStill", Do: pagesStandStill},
		{Name: "TallyIsWhatACountSays", Do: tallyIsWhatACountSays},
	}
}
