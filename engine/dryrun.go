package engine

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"vigil/engine/policy"
	"vigil/engine/series"
)

// Evaluate says which policies these values would violate, now and at once:
// windows hold just the one value, `for` and `times` are not waited for, and
// nothing is recorded or done. Keys are metric names or selectors of equalities
// (`latency{service="web"}`). A metric that is not given never fires. With a
// target, only policies whose target pattern takes it are asked.
func (e *Engine) Evaluate(metrics map[string]float64, target string) (DryRun, error) {
	now := e.clock()
	given := make([]series.Labels, 0, len(metrics))
	values := make([]float64, 0, len(metrics))
	for _, k := range slices.Sorted(maps.Keys(metrics)) {
		v := metrics[k]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		sel, err := policy.ParseSelector(k)
		ls, ok := sel.Anchor()
		if err != nil || !ok {
			ls = series.FromMap(k, nil)
		}
		if target != "" {
			ls = ls.With("target", target)
		}
		given, values = append(given, ls), append(values, v)
	}
	var out DryRun
	for _, en := range *e.reg.all.Load() {
		if v, fires := e.wouldFire(en, given, values, target); fires {
			v.At = now
			out.Violations = append(out.Violations, v)
		}
	}
	slices.SortFunc(out.Violations, func(a, b Violation) int { return cmp.Compare(a.Policy.Name, b.Policy.Name) })
	return out, nil
}

func (e *Engine) wouldFire(en *entry, given []series.Labels, values []float64, target string) (Violation, bool) {
	view := en.view()
	if en.broken != "" || !view.Enabled {
		return Violation{}, false
	}
	now := e.clock().Millis()
	for _, ls := range given {
		if !en.cond.Match.Matches(ls) {
			continue
		}
		in := en.cond.Instance(ls)
		for i, src := range en.cond.Sources {
			for j, other := range given {
				if (i == 0 && !other.Equal(ls)) || !src.Selector.Matches(other) || (i > 0 && !en.cond.Joins(i, ls, other)) {
					continue
				}
				in.Observe(i, series.Ref(j+1), series.Point{T: now, V: values[j]})
			}
		}
		if ev := in.Evaluate(now, false, 0); ev.Fire != policy.True {
			continue
		}
		v := Violation{Policy: view, Target: target}
		if v.Target == "" {
			v.Target = cmp.Or(in.Target, view.Target, view.Name)
		}
		v.Action = view.Action
		if r := view.Remedy; v.Action == "" && r != nil && len(r.Ladder) > 0 {
			v.Action = r.Ladder[0].Action
		}
		return v, true
	}
	return Violation{}, false
}
