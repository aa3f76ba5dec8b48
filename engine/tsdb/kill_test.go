package tsdb

// child is replaced below.
func child() {}
