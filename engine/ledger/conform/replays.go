package conform

import (
	"bytes"
	"context"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
)

// replaysAreKept: written, written again with the answer, forgotten, and
// read back in order by the next process.
func replaysAreKept(r *stand.Rig) {
	ctx := context.Background()
	first := engine.Replay{Key: "a", Sum: [32]byte{1}, At: stand.At(1)}
	second := engine.Replay{Key: "b", Sum: [32]byte{2}, At: stand.At(2), Done: true, Status: 204}
	for _, x := range []engine.Replay{{Key: "old", Sum: [32]byte{3}, At: stand.At(0)}, first} {
		if err := r.PutReplay(ctx, x, nil); err != nil {
			r.Fatal(err)
		}
	}
	if err := r.PutReplay(ctx, second, []string{"old", "none"}); err != nil {
		r.Fatal(err)
	}
	first.Done, first.Status, first.Media, first.Body = true, 201, "application/json", []byte(`{"id":1}`)
	if err := r.PutReplay(ctx, first, nil); err != nil {
		r.Fatal(err)
	}
	if err := r.PutReplay(ctx, engine.Replay{Key: "c", Sum: [32]byte{4}, Body: bytes.Repeat([]byte{1}, 1<<20)}, nil); fault.KindOf(err) != fault.TooLarge {
		r.Errorf("a giant: %v", err)
	}
	r.Reopen()
	got, err := r.Replays(ctx)
	if diff := cmp.Diff([]engine.Replay{first, second}, got); err != nil || diff != "" {
		r.Errorf("%v\n%s", err, diff)
	}
	if err := r.ForgetReplays(ctx, []string{"a", "b"}); err != nil {
		r.Fatal(err)
	}
	if got, err := r.Replays(ctx); err != nil || len(got) != 0 {
		r.Errorf("%v %v", got, err)
	}
}
