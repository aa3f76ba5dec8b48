package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// TestReplays: while the first runs the second waits; then it is given the
// answer; failures and giants free the key; a day later it is forgotten; and
// the memory has a bound.
func TestReplays(t *testing.T) {
	now := clock.Stamp{Boot: 1, BootID: "b"}
	rs := New(func() clock.Stamp { return now })
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
	if r := begin("a"); r == nil || r.status != 201 || string(r.body) != "yes" {
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
