package ledger_test

func child() bool { return false }
