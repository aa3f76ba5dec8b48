package ground

import (
	"vigil/engine"
	"vigil/engine/reconcile"
)

// Note writes drift that is new and drift that ended. A change that is only
// pending is no drift: nobody touched anything.
func (g *Ground) Note(r *Round, t *Thing, diffs []reconcile.Difference, how string) {
	stands := map[string]engine.Drift{}
	for _, d := range diffs {
		if d.Class == reconcile.Pending || d.Class == reconcile.Orphan {
			continue
		}
		old, was := t.Drifts[d.Field]
		if was && old.Difference.Found == d.Found && old.Wanted == d.Wanted {
			if old.Suspect == "" { // it came back before its end was seen
				if old.Suspect = r.blamed(t); old.Suspect != "" {
					r.D.Desired.Drifts = append(r.D.Desired.Drifts, old)
				}
			}
			stands[d.Field] = old
			continue
		}
		g.LastDrift++
		n := engine.Drift{ID: g.LastDrift, Ref: t.Ref, Subject: t.Res.Key().Subject, Difference: d, Suspect: r.blamed(t), Found: r.D.At}
		stands[d.Field] = n
		r.D.Desired.Drifts = append(r.D.Desired.Drifts, n)
		r.Tell("", "drift.found", "resource:"+t.Ref, Why([]reconcile.Difference{d}), evidence(t, d))
		g.Log.Warn("drift", "resource", t.Ref, "field", d.Field, "class", string(d.Class))
	}
	for field, old := range t.Drifts {
		if now, still := stands[field]; still && now.ID == old.ID {
			continue
		}
		old.Ended, old.How = r.D.At, how
		r.D.Desired.Drifts = append(r.D.Desired.Drifts, old)
		if how == "gone" {
			r.Tell("", "drift.gone", "resource:"+t.Ref, field+" is as it should be, or differs otherwise now", nil)
		}
	}
	if len(stands)+len(t.Drifts) > 0 {
		r.After = append(r.After, func() { t.Drifts = stands })
	}
}

// blamed is who may have changed a thing that was healed before, "" unknown.
func (r *Round) blamed(t *Thing) string {
	if r.Suspect == nil || t.Row.Heals.Count == 0 {
		return ""
	}
	return r.Suspect(t)
}

func evidence(t *Thing, d reconcile.Difference) map[string]string {
	d = reconcile.Told([]reconcile.Difference{d})[0]
	return map[string]string{"subject": t.Res.Key().Subject, "field": d.Field, "wanted": d.Wanted, "found": d.Found, "class": string(d.Class), "commit": t.Row.Commit}
}
