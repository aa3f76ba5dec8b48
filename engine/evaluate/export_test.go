package evaluate

import "vigil/engine/series"

// Compared is how often an instance and a series were held against each other to
// join them.
func (e *Evaluator) Compared() uint64 { return e.count.Compared.Load() }

// Taps is how many read a series.
func (e *Evaluator) Taps(l series.Local) int {
	w := e.index.Watch(l)
	if w == nil {
		return 0
	}
	return len(w.Taps)
}
