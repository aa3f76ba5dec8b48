package ledger

// Abandon closes the file without marking a clean stop.
func (l *Ledger) Abandon() error { return l.file.Close() }
