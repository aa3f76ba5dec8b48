package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/fault"
)

// brief says that a test that goes through thousands of states should look at
// fewer: in a short run, and under the race detector, which makes SQLite twenty
// times slower and finds nothing more in the thousandth state. The whole counts
// run without it.
func brief() bool { return testing.Short() || racing }

// histories goes through what may happen to a ledger, each time to a new one: as
// many steps as are drawn, at most many, or few in a brief run.
func histories(t *testing.T, few, many int, begin func(*rapid.T, *rig) (step func())) {
	root, n := scratch(t), 0
	if brief() {
		many = few
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		r := newRig(t, config(dir))
		defer func() {
			if r.Ledger != nil {
				r.crash()
			}
			os.RemoveAll(dir)
		}()
		step := begin(rt, r)
		for range rapid.IntRange(1, many).Draw(rt, "steps") {
			step()
		}
	})
}

// agrees commits what a model takes, or holds for a conflict.
func (r *rig) agrees(rt *rapid.T, d *engine.Decision, ok bool) {
	_, err := r.Commit(context.Background(), d)
	if (err == nil) != ok || err != nil && fault.KindOf(err) != fault.Conflict {
		rt.Fatalf("the model says %v, the ledger %v", ok, err)
	}
}
