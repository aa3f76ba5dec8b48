package receive

import (
	"strings"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
)

// Pusher is who asks, and what they may do.
type Pusher struct {
	Name   string
	Read   bool // clone and fetch
	Push   bool // move a branch forward
	Rewind bool // rewrite a branch, or remove one that is not watched
}

// Options are what came with a push: `git push -o NAME`.
type Options struct {
	DryRun       bool   // say what would happen, move nothing
	Wait         bool   // stay until it is applied and healthy, or not
	ConfirmPrune bool   // many removals are meant
	Reason       string // for the record

	By Pusher // who pushed
}

const maxReason = 500

// parseOptions refuses what it does not know: a mistyped dry-run must not be a
// push.
func parseOptions(lines []string) (Options, error) {
	var o Options
	for _, l := range lines {
		name, value, has := strings.Cut(l, "=")
		switch {
		case name == "dry-run" && !has:
			o.DryRun = true
		case name == "wait" && !has:
			o.Wait = true
		case name == "confirm-prune" && !has:
			o.ConfirmPrune = true
		case name == "reason" && value != "":
			o.Reason = objects.Printable(value, maxReason)
		default:
			return o, fault.New(fault.Unprocessable, "the push option %q is not known", objects.Printable(l, 100)).Mend("dry-run, wait, confirm-prune or reason=TEXT")
		}
	}
	return o, nil
}
