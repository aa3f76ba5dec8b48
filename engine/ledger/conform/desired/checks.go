// Package desired is what every ledger must do with desired state: revisions,
// what was last written, drifts, suspends, the undo journal and the checks of the
// repository. For tests alone; see conform, which runs it.
package desired

import "vigil/engine/ledger/conform/stand"

// Checks are all of them.
func Checks() []stand.Check {
	return []stand.Check{
		{Name: "RestartForgetsNothingOfDesiredState", Do: restartForgetsNothingOfDesiredState},
		{Name: "DesiredStateIsAllOrNothing", Do: desiredStateIsAllOrNothing},
		{Name: "DesiredStateFollowsTheModel", Do: desiredStateFollowsTheModel},
		{Name: "KeeperStartsFromWhatMatters", Do: keeperStartsFromWhatMatters},
		{Name: "DesiredListings", Do: desiredListings},
		{Name: "ChecksOfTheRepositoryAreKeptWhole", Do: checksOfTheRepositoryAreKeptWhole},
		{Name: "EntriesOfTheRepositoryAreKeptWhole", Do: entriesOfTheRepositoryAreKeptWhole},
	}
}
