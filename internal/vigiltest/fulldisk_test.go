package vigiltest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/actions/actiontest"
)

// fill takes what room there is on a disk, and returns what gives it back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	file := filepath.Join(dir, "filler")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk fills the data directory's disk while the daemon works: what was
// acknowledged stays, no act is done without its record or twice, /readyz says
// why samples are refused, reading goes on, and when there is room again the
// daemon goes on by itself within 30 s. So it does twice, and a kill on
// the full disk costs nothing either.
func TestFullDisk(t *testing.T) {
	l, m := newLane(t, 7), newModel()
	disk := filepath.Join(l.dir, "data")
	if !actiontest.Disk(t, disk, 16<<20) {
		return
	}
	c := &checker{lane: l, m: m}
	load := func(run int, span time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		traffic{l, m, run}.flow(ctx)
	}
	var n int
	takes := func() bool { // a batch, since a segment has room for many small ones
		var batch []pushed
		var ss []*sent
		at := max(time.Now().UnixMilli(), m.newest[0])
		for range 500 {
			at, n = at+1, n+1
			s := m.sending("full", at, float64(n))
			ss = append(ss, s)
			batch = append(batch, pushed{"load", s.value, map[string]string{"w": "full"}, stamp(at)})
		}
		m.newest[0] = at
		status, _, err := l.ask(t.Context(), "POST", "/api/v1/ingest", batch)
		if err == nil && status == http.StatusCreated {
			m.ack(ss...)
			return true
		}
		return false
	}
	verdict := func(when string) {
		t.Helper()
		if bad := c.check(t.Context()); len(bad) > 0 {
			t.Fatalf("%s:\n%s\n%s", when, strings.Join(bad[:min(20, len(bad))], "\n"), l.log)
		}
	}
	l.mustBeReady(Binary)
	for round := range 2 {
		load(3*round, 300*time.Millisecond)
		verdict("before the disk is full") // what the end of the load cut short is known then
		empty := fill(t, disk)
		load(3*round+1, 500*time.Millisecond)
		if !quickly(func() bool { return !takes() }) {
			t.Fatal("samples are still taken on a full disk")
		}
		var said string
		if !Until(func() bool {
			status, text, err := l.ask(t.Context(), "GET", "/readyz", nil)
			said = fmt.Sprint(status, " ", string(text), err)
			return err == nil && status == http.StatusServiceUnavailable && strings.Contains(said, "space")
		}) {
			t.Fatalf("/readyz does not say why: %s", said)
		}
		verdict("on the full disk")
		if round == 1 {
			l.kill()
			l.start(Binary)
			if !l.ready() {
				t.Logf("on a full disk a daemon does not start: %s", l.log)
			} else {
				verdict("after a start on the full disk")
			}
		}
		began := time.Now()
		empty()
		if l.dead() {
			l.kill()
			l.mustBeReady(Binary)
		}
		if !Until(func() bool { return takes() }) {
			_, text, _ := l.ask(t.Context(), "GET", "/readyz", nil)
			t.Fatalf("samples are not taken again: %s\n%s", text, l.log)
		}
		if took := time.Since(began); Late(took, 30*time.Second) {
			t.Errorf("samples are taken again after %s", took)
		}
		t.Logf("round %d: samples are taken again after %s; /readyz said %.200s", round, time.Since(began).Round(time.Millisecond), said)
		if !Until(func() bool {
			status, _, err := l.ask(t.Context(), "GET", "/readyz", nil)
			return err == nil && status == http.StatusOK
		}) {
			t.Error("/readyz does not recover")
		}
		load(3*round+2, 300*time.Millisecond)
		verdict("with room again")
	}
	if bad := c.settle(t.Context()); len(bad) > 0 {
		t.Errorf("at rest:\n%s", strings.Join(bad[:min(20, len(bad))], "\n"))
	}
	l.kill()
	l.mustBeReady(Binary)
	verdict("after a kill")
	l.stop()
}
