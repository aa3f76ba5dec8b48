package git

import (
	"sync"

	"vigil/engine/reconcile"
)

// inspected is the set of the revision that was judged last, for the keeper who
// carries it out moments later: the same objects need not be read and parsed
// twice, nor stand in memory twice. It is handed on once.
type inspected struct {
	mu     sync.Mutex
	commit string
	set    *reconcile.Set
}

// put keeps a set; a nil one forgets.
func (i *inspected) put(commit string, set *reconcile.Set) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.commit, i.set = commit, set
}

// take is the set of a commit, nil when it is not the one that was judged last.
func (i *inspected) take(commit string) *reconcile.Set {
	i.mu.Lock()
	defer i.mu.Unlock()
	if commit == "" || i.commit != commit {
		return nil
	}
	set := i.set
	i.commit, i.set = "", nil
	return set
}
