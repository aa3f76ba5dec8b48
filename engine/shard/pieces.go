package shard

import "slices"

// pieceMost is how much of a round goes into one decision: what fires costs a few
// KB on its way through the ledger.
const pieceMost = 500

// pieces splits what a round found into outcomes of about at most so many changes,
// closings and raises each; moves there are none yet. All changes of one instance are in one piece and in
// their order: they are one decision, whether a remediation stands among it.
func (o Outcome) pieces(most int) []Outcome {
	switch n := len(o.changes) + len(o.Closing) + len(o.Dirty) + len(o.raises); {
	case o.empty():
		return nil
	case n <= most:
		return []Outcome{o}
	}
	var out []Outcome
	// What ended is closed before the same labels may open again.
	for some := range slices.Chunk(o.Closing, most) {
		out = append(out, Outcome{Closing: some})
	}
	for _, some := range runs(o.changes, most) {
		out = append(out, Outcome{changes: some})
	}
	for some := range slices.Chunk(o.Dirty, most) {
		out = append(out, Outcome{Dirty: some})
	}
	for some := range slices.Chunk(o.raises, most) {
		out = append(out, Outcome{raises: some})
	}
	return out
}

// runs sorts changes by the instance that they are of, in the order in which each
// first moved, and splits them between instances.
func runs(changes []change, most int) (out [][]change) {
	first := make(map[*Instance]int, len(changes))
	for i := range changes {
		if _, known := first[changes[i].inst]; !known {
			first[changes[i].inst] = i
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return first[a.inst] - first[b.inst] })
	if len(changes) == 0 {
		return nil
	}
	from := 0
	for i := range changes {
		if i-from >= most && changes[i].inst != changes[i-1].inst {
			out, from = append(out, changes[from:i:i]), i
		}
	}
	return append(out, changes[from:])
}
