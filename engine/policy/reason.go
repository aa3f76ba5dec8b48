package policy

import (
	"fmt"
	"time"

	"vigil/engine/document"
)

// transition names the change that is shown. An instance that begins in ok, or
// in unknown because nothing is known yet, has not changed.
func (a *step) transition(ev Evaluation) Transition {
	from, to := a.prev.State, a.next.State
	if from == to || a.never && (to == StateOK || to == StateUnknown) {
		return Transition{}
	}
	if from == "" {
		from = StateOK
	}
	reason, words := a.reason(from, to)
	if words == "" && a.unknown {
		words = a.blind(ev)
	}
	if words != "" {
		reason += ": " + words
	}
	return Transition{from, to, reason}
}

func (a *step) reason(from, to State) (reason, words string) {
	switch to {
	case StateUnknown:
		return ReasonNoData, ""
	case StateFlapping:
		return ReasonFlapping, fmt.Sprintf("%d changes within %s", len(a.next.Changes), a.c.flap.Within)
	case StateSuppressed:
		return ReasonSuppressed, a.next.By + " fires"
	case StatePending:
		if from == StateOK {
			return ReasonPending, a.why
		}
		return a.uncovered(from, "fire is true")
	case StateRecovering:
		if from == StateFiring {
			return ReasonRecovering, a.why
		}
		return a.uncovered(from, "clear is true")
	case StateFiring:
		switch {
		case from == StateRecovering:
			return ReasonRelapsed, a.why
		case from == StateUnknown && a.was == StateOK, from == StateUnknown && a.was == StatePending:
			return ReasonFired, a.why
		case from == StateOK || from == StatePending:
			return ReasonFired, a.why
		}
		return a.uncovered(from, "fire is true")
	}
	// to ok
	switch {
	case a.prev.Told:
		if a.why == "" {
			_, words = a.uncovered(from, "clear is true")
			return ReasonRecovered, words
		}
		return ReasonRecovered, a.why
	case from == StateUnknown && a.prev.Seen == 0 && a.prev.Before == StateOK:
		return ReasonFirstData, ""
	case from == StatePending || from == StateSuppressed:
		return ReasonSubsided, a.why
	}
	return a.uncovered(from, "")
}

// uncovered is the reason why what lay over the base is gone.
func (a *step) uncovered(from State, words string) (string, string) {
	if a.why != "" {
		words = a.why
	}
	switch from {
	case StateUnknown:
		return ReasonDataBack, words
	case StateFlapping:
		return ReasonCalm, fmt.Sprintf("no change for %s", a.c.flap.Calm)
	case StateSuppressed:
		if a.prev.By != "" {
			words = a.prev.By + " no longer fires"
		}
		return ReasonReleased, words
	}
	return ReasonSubsided, words
}

// blind says why nothing is known.
func (a *step) blind(ev Evaluation) string {
	switch {
	case ev.Ended:
		return "the series has ended"
	case ev.Newest == 0:
		return "there is no sample"
	case !a.fresh:
		return fmt.Sprintf("no sample for %s", text(a.staleAfter()))
	}
	return fmt.Sprintf("the condition has been unknown for %s", text(a.staleAfter()))
}

func text(d time.Duration) string { return document.Duration(d).String() }
