package decide

import "vigil/engine/remedy"

// How an act is carried out follows from what it is.

// Idle says that the act whose turn it is mostly waits: for a time to pass, or for
// a receiver that may be as dead as what is to be healed. It holds a worker
// meanwhile, so it may not have them all.
func Idle(r *remedy.Remediation) bool {
	return idle(rung(r).Action)
}

// idle says so of a kind: those built in whose [remedy.Spec] says Waits. An entry of
// the catalogue may wait too (http) and is not idle: the name of one says nothing of
// its kind, and here nothing is resolved. [Brief] has the Spec and goes by it.
func idle(kind string) bool { return kind == "notify" || kind == "wait" }

// Quick says that the act whose turn it is writes back what a commit says, and runs
// nothing: it ends within milliseconds, and may be done again.
func Quick(r *remedy.Remediation) bool {
	if r.Source != remedy.FromReconcile {
		return false
	}
	switch g := rung(r); g.Action {
	case "file", "directory":
		_, runs := g.With["validate"]
		return !runs
	case "sysctl":
		return true
	}
	return false
}

// Spot is what a quick act is about. Two of them about one file would only wait for
// each other.
func Spot(r *remedy.Remediation) string {
	if path, ok := rung(r).With["path"].(string); ok {
		return path
	}
	return r.Target
}

// Brief says whether a stop of vigild may cut an act short, since the next start
// does it again and nothing is lost.
func Brief(s remedy.Spec) bool { return s.Waits && s.Class == remedy.Convergent }
