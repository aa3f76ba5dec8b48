package evaluate

// Compared is how often an instance and a series were held against each other to
// join them.
func (e *Evaluator) Compared() uint64 { return e.count.Compared.Load() }
