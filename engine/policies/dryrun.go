package policies

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"vigil/engine"
	"vigil/engine/policy"
	"vigil/engine/series"
	"vigil/engine/shard"
)

// Evaluate says which policies these values would violate, now and at once:
// windows hold just the one value, `for` and `times` are not waited for, and
// nothing is recorded or done. Keys are metric names or selectors of equalities
// (`latency{service="web"}`). A metric that is not given never fires. With a
// target, only policies whose target pattern takes it are asked.
func (k *Keeper) Evaluate(metrics map[string]float64, target string) (engine.DryRun, error) {
	var given []value
	for _, key := range slices.Sorted(maps.Keys(metrics)) {
		v := metrics[key]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		sel, err := policy.ParseSelector(key)
		ls, ok := sel.Anchor()
		if err != nil || !ok {
			ls = series.FromMap(key, nil)
		}
		if target != "" {
			ls = ls.With("target", target)
		}
		given = append(given, value{ls, v})
	}
	var out engine.DryRun
	at := k.clock()
	k.states.Each(func(p shard.Policy) {
		if p.Cond == nil || !p.Doc.Enabled {
			return
		}
		in, fires := wouldFire(p.Cond, given, at.Millis())
		if !fires {
			return
		}
		v := engine.Violation{At: at, Target: cmp.Or(target, in.Target, p.Doc.Target, p.Doc.Name), Action: p.Doc.Action}
		v.Policy.PolicyDocument, v.Policy.Owner = p.Doc, p.Owner
		if r := p.Doc.Remedy; v.Action == "" && r != nil && len(r.Ladder) > 0 {
			v.Action = r.Ladder[0].Action
		}
		out.Violations = append(out.Violations, v)
	})
	slices.SortFunc(out.Violations, func(a, b engine.Violation) int { return cmp.Compare(a.Policy.Name, b.Policy.Name) })
	return out, nil
}

type value struct {
	labels series.Labels
	v      float64
}

func wouldFire(cond *policy.Condition, given []value, now int64) (*policy.Instance, bool) {
	for _, own := range given {
		if !cond.Match.Matches(own.labels) {
			continue
		}
		in := cond.Instance(own.labels)
		for i, src := range cond.Sources {
			for j, other := range given {
				if i == 0 && !other.labels.Equal(own.labels) || i > 0 && !cond.Joins(i, own.labels, other.labels) || !src.Selector.Matches(other.labels) {
					continue
				}
				in.Observe(i, series.Ref(j+1), series.Point{T: now, V: other.v})
			}
		}
		if in.Evaluate(now, false, 0).Fire == policy.True {
			return in, true
		}
	}
	return nil, false
}
