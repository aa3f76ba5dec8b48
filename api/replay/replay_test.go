package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// TestReplays: while the first runs the second waits; then it is given the
// answer; failures and giants free the key; a day later it is forgotten; and
// the memory has a bound.
func TestReplays(t *testing.T) {
	now := clock.Stamp{Boot: 1, BootID: "b"}
	rs, err := New(func() clock.Stamp { return now }, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	begin := func(key string) *replay {
		t.Helper()
		r, err := rs.begin(key, [32]byte{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if begin("a") != nil {
		t.Fatal("an answer before there was one")
	}
	if _, err := rs.begin("a", [32]byte{}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the second did not wait for the first: %v", err)
	}
	rs.end("a", 201, "application/json", []byte("yes"))
	if r := begin("a"); r == nil || r.Status != 201 || string(r.Body) != "yes" {
		t.Errorf("%+v", r)
	}
	if _, err := rs.begin("a", [32]byte{1}); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("another body was taken: %v", err)
	}
	for _, status := range []int{0, 429, 500, 503} {
		begin("b")
		rs.end("b", status, "", nil)
	}
	begin("b")
	rs.end("b", 201, "", make([]byte, replayBody+1))
	if begin("b") != nil {
		t.Error("a giant was kept")
	}
	now = now.Add(replayKeep)
	if begin("a") != nil {
		t.Error("kept for more than a day")
	}
	for i := range 2 * replayCount {
		key := fmt.Sprint("n", i)
		begin(key)
		rs.end(key, 201, "", []byte(strings.Repeat("x", 10_000)))
		now = now.Add(time.Microsecond)
	}
	if rs.order.Len() > replayCount || len(rs.by) != rs.order.Len() || rs.bytes > replayBytes+10_000 {
		t.Errorf("%d kept, %d indexed, %d bytes", rs.order.Len(), len(rs.by), rs.bytes)
	}
}

// disk is a store that outlives a Memory.
type disk struct {
	kept  []engine.Replay
	fails error
}

func (d *disk) Replays(context.Context) ([]engine.Replay, error) { return slices.Clone(d.kept), nil }
func (d *disk) PutReplay(ctx context.Context, r engine.Replay, forget []string) error {
	if d.fails != nil {
		return d.fails
	}
	if err := d.ForgetReplays(ctx, append(forget, r.Key)); err != nil {
		return err
	}
	d.kept = append(d.kept, r)
	return nil
}
func (d *disk) ForgetReplays(_ context.Context, keys []string) error {
	if d.fails != nil {
		return d.fails
	}
	d.kept = slices.DeleteFunc(d.kept, func(r engine.Replay) bool { return slices.Contains(keys, r.Key) })
	return nil
}

// TestReplaysSurviveARestart: an answer is given again; a request of unknown end
// is not carried out a second time; what was freed is free; what was forgotten
// for room is forgotten on disk too; and a disk that refuses stops no request.
func TestReplaysSurviveARestart(t *testing.T) {
	now := clock.Stamp{Wall: 1, Boot: 1, BootID: "b"}
	d := &disk{}
	start := func() *Memory {
		rs, err := New(func() clock.Stamp { return now }, d, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	acts := 0
	ask := func(rs *Memory, key string, status int, dies bool) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/api/v1/actions", strings.NewReader("{}"))
		defer func() { _ = recover() }()
		err := rs.Serve(w, r, "ann", key, func(w http.ResponseWriter, _ *http.Request) {
			acts++
			if dies {
				d.fails = errors.New("the process is dead")
				panic("dead")
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, acts)
		})
		return w, err
	}
	rs := start()
	for _, s := range []int{201, 503} {
		if _, err := ask(rs, fmt.Sprint("k", s), s, false); err != nil {
			t.Fatal(err)
		}
	}
	d.fails = nil
	_, _ = ask(rs, "dies", 201, true)
	d.fails = nil

	now = clock.Stamp{Wall: 2, Boot: 1, BootID: "another"}
	rs = start()
	acts = 100
	if w, err := ask(rs, "k201", 201, false); err != nil || w.Code != 201 || w.Body.String() != "1" || w.Header().Get("Idempotency-Replayed") != "true" || acts != 100 {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	if w, err := ask(rs, "k503", 201, false); err != nil || w.Body.String() != "101" {
		t.Errorf("a failure was kept: %s %v", w.Body, err)
	}
	if _, err := ask(rs, "dies", 201, false); fault.KindOf(err) != fault.Conflict || acts != 101 {
		t.Errorf("one of unknown end: %v, %d", err, acts)
	}
	d.fails = errors.New("full")
	if w, err := ask(rs, "more", 201, false); err != nil || w.Code != 201 {
		t.Errorf("with a full disk: %d %v", w.Code, err)
	}
	d.fails = nil
	for i := range replayCount + 10 {
		if _, err := ask(rs, fmt.Sprint("n", i), 201, false); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.kept) > replayCount || len(d.kept) < replayCount-20 {
		t.Errorf("%d are on disk", len(d.kept))
	}
}

// TestReplaysThatMadeRoomAreForgottenOnDisk: also when the request that made it
// was one that is answered from memory, or refused.
func TestReplaysThatMadeRoomAreForgottenOnDisk(t *testing.T) {
	now := clock.Stamp{Boot: 1, BootID: "b"}
	d := &disk{}
	rs, err := New(func() clock.Stamp { return now }, d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string) {
		t.Helper()
		if old, err := rs.begin(key, [32]byte{}); err != nil || old != nil {
			t.Fatal(key, old, err)
		}
		rs.end(key, 201, "", nil)
	}
	for _, again := range [][32]byte{{}, {1}} {
		put("old")
		now = now.Add(replayKeep / 2)
		put("new")
		now = now.Add(replayKeep/2 + 1)
		_, _ = rs.begin("new", again)
		if len(d.kept) != 1 || d.kept[0].Key != "new" {
			t.Errorf("on disk are %+v", d.kept)
		}
		now = now.Add(replayKeep)
	}
}
