package revision

import (
	"context"

	"vigil/engine/audit"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/revision/ground"
)

// Wanted says whether a step of ours still serves what is wanted: a step of a
// document that has changed since, or of a thing that was suspended, does not. It
// takes locks of memory alone.
func (k *Keeper) Wanted(r remedy.Remediation) (why string, ok bool) {
	if r.Labels[ground.LabelBack] == "yes" || r.Labels[ground.LabelNotice] == "yes" {
		return "", true
	}
	ref := r.Labels[ground.LabelResource]
	if s, is := k.SuspendOf(ref); is {
		return "suspended: " + s.Reason, false
	}
	k.Mu.RLock()
	defer k.Mu.RUnlock()
	t := k.Things[ref]
	switch {
	case t == nil:
		return "no document speaks of " + ref + " any more", false
	case t.Item != nil && r.Labels[ground.LabelHash] != "" && k.Keyed(t.Item) != r.Labels[ground.LabelHash]:
		return "its document has changed since", false
	}
	return "", true
}

// Verify looks whether a thing is as it should be after the last of its steps. It
// blocks while it looks.
func (k *Keeper) Verify(ctx context.Context, r remedy.Remediation) (remedy.Verification, error) {
	switch {
	case r.Labels[ground.LabelBack] == "yes":
		return remedy.Verification{OK: true, Reason: "what stood before is back"}, nil
	case r.Labels[ground.LabelNotice] == "yes":
		return remedy.Verification{OK: true, Reason: "a notice has nothing to verify"}, nil
	case r.Labels[ground.LabelLast] != "yes":
		return remedy.Verification{OK: true, Reason: "a step on the way: the last one is verified"}, nil
	}
	k.Mu.RLock()
	t := k.Things[r.Labels[ground.LabelResource]]
	f := k.Flows[r.ID] // nil after a new start
	var last reconcile.State
	if t != nil {
		last = t.Row.Last
	}
	k.Mu.RUnlock()
	if t == nil || t.Res == nil {
		return remedy.Verification{OK: true, Reason: "nothing is wanted of it any more"}, nil
	}
	seen, err := t.Res.Observe(ctx, k.World)
	if err != nil {
		return remedy.Verification{Reason: "it cannot be looked at: " + err.Error()}, nil
	}
	seen.Rising = false // whether it stays up its action says
	diffs := t.Differences(last, seen)
	if len(diffs) == 0 {
		return remedy.Verification{OK: true, Reason: "it is as the document says"}, nil
	}
	if f != nil && f.Revision == 0 {
		if diffs = unmended(f.Diffs, diffs); len(diffs) == 0 {
			return remedy.Verification{OK: true, Reason: "what it was to mend is mended; somebody changed it since"}, nil
		}
	}
	return remedy.Verification{Reason: "it is still not as the document says: " + ground.Why(diffs), Evidence: audit.Evidence(reconcile.Told(diffs))}, nil
}

// unmended are the differences that a heal was to remove and that stand as they
// stood. What differs otherwise by now is new drift: the heal helped, and failing it
// would open the breaker of a thing that somebody works on.
func unmended(before, now []reconcile.Difference) (out []reconcile.Difference) {
	for _, d := range now {
		for _, b := range before {
			if b.Field == d.Field && b.Found == d.Found {
				out = append(out, d)
			}
		}
	}
	return out
}
