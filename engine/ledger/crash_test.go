package ledger_test

// crash drops the ledger as a killed process would, as far as one process can:
// no clean stop is marked, the lock is given free.
func (r *rig) crash() {
	r.Helper()
	if err := r.Ledger.Abandon(); err != nil {
		r.Fatalf("abandon: %v", err)
	}
	r.Ledger = nil
}
