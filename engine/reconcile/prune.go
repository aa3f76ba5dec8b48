package reconcile

import "vigil/engine/fault"

// Guard refuses a revision that would take away too much: everything, or more
// than max(5, 20 %) of what stands, unless somebody said that this is meant.
// Conflict, with how to say so where the revision comes from: a push has options,
// and a commit that is fetched can say it itself. Pure.
func Guard(stands, goes int, wanted int, confirmed bool, source string) error {
	if goes == 0 || confirmed {
		return nil
	}
	hint := "push again with -o confirm-prune if this is meant"
	if source == "path" || source == "remote" {
		hint = `if this is meant, let the newest commit say so: git commit --allow-empty -m "they may go" --trailer "Confirm-Prune: yes"`
	}
	if wanted == 0 {
		return fault.New(fault.Conflict, "the revision wants nothing at all and would take away all %d things", goes).Mend("%s", hint)
	}
	if most := max(5, stands/5); goes > most {
		return fault.New(fault.Conflict, "the revision would take away %d of %d things, at most %d are taken away unasked", goes, stands, most).Mend("%s", hint)
	}
	return nil
}
