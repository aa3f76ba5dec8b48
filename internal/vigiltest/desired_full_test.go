package vigiltest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/actions/actiontest"
)

// TestDesired_AFullDiskTearsNothing: the disk that managed files lie on has no room
// for a revision: its push is refused. It fills up after the push, while the acts are
// held: each file is old or new, never half; the revision fails and all is as before;
// with room again the next one is good.
func TestDesired_AFullDiskTearsNothing(t *testing.T) {
	f := newField(t, 1, "")
	disk := filepath.Join(f.dir, "managed", "disk")
	if !actiontest.Disk(t, disk, 1<<20) {
		return
	}
	text := func(name string, n int) string {
		return whole(fmt.Sprintf("%s, revision %d\n", name, n) + strings.Repeat("sixteen letters\n", 1500))
	}
	names := []string{"disk/a", "disk/b", "disk/c", "disk/d"}
	set := func(n int) (docs []string, host map[string]string) {
		host = map[string]string{}
		for _, name := range names {
			docs = append(docs, f.document(name, text(name, n), quick))
			host[name] = "file 0644 " + text(name, n)
		}
		return docs, host
	}
	holds := func(when string, host map[string]string) {
		t.Helper()
		if !Until(func() bool {
			for name, how := range host {
				if is(f.at(name)) != how {
					return false
				}
			}
			return true
		}) {
			t.Fatalf("%s: the host is not as it was\n%s", when, f.log)
		}
		var odd []string // refs are marked once a revision is good: one may be on its way
		if !Until(func() bool { odd = append(f.litter(), leftIn(disk)...); return len(odd) == 0 }) {
			t.Errorf("%s: %v", when, odd)
		}
	}
	f.mustBeReady(Binary)
	docs, host := set(1)
	f.follows(docs...)
	n := 1
	for _, room := range []int{0, 4 << 10, 30 << 10, 60 << 10, 90 << 10} {
		n++
		when := fmt.Sprintf("with %d KiB of room", room>>10)
		docs, _ := set(n)
		if room == 0 {
			empty := fillBut(t, disk, room)
			f.work.Commit("too much, as is seen", "-- host.yaml --\n"+strings.Join(docs, ""))
			if said, ok := f.push(); ok || !strings.Contains(said, "has 0 free") {
				t.Errorf("%s: the push is not refused for the disk: %s", when, said)
			}
			empty()
			holds(when+", refused", host)
		}
		if _, err := f.client.Pause(t.Context(), "1h", "the disk fills up"); err != nil {
			t.Fatal(err)
		}
		commit := f.work.Commit("too much", "-- host.yaml --\n"+strings.Join(docs, "")+"# after the look\n")
		if said, ok := f.push(); !ok {
			t.Fatalf("%s: the push is refused: %s", when, said)
		}
		empty := fillBut(t, disk, room)
		stop, half := make(chan struct{}), make(chan string, 1)
		go func() { // whoever reads meanwhile sees whole files
			defer close(half)
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, name := range names {
					if b, err := os.ReadFile(f.at(name)); err != nil || torn(string(b)) {
						half <- fmt.Sprintf("%s: %v, %d bytes", name, err, len(b))
						return
					}
				}
			}
		}()
		if _, err := f.client.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		row := f.rest(commit)
		close(stop)
		if what := <-half; what != "" {
			t.Errorf("%s: %s", when, what)
		}
		switch row.State {
		case "bad":
			if !strings.Contains(row.Why, "space") {
				t.Errorf("%s: it is bad, and not for the disk: %s", when, row.Why)
			}
			holds(when, host)
		case "good":
			_, host = set(n)
			holds(when, host)
		default:
			t.Errorf("%s: it is %s: %s", when, row.State, row.Why)
		}
		t.Logf("%s: %s: %.150s", when, row.State, row.Why)
		empty()
		holds(when+", emptied", host)
		n++
		docs, host = set(n)
		f.follows(docs...)
		holds(when+", and the next", host)
	}
	f.stop()
}

// leftIn lists what a write left in a folder.
func leftIn(dir string) (odd []string) {
	found, _ := filepath.Glob(filepath.Join(dir, ".vigil-*"))
	return found
}

// fillBut is fill that leaves some room.
func fillBut(t *testing.T, dir string, room int) (empty func()) {
	t.Helper()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, make([]byte, room), 0o600); err != nil {
		t.Fatal(err)
	}
	empty = fill(t, dir)
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	return empty
}

// TestDesired_AFullLedgerDiskLosesNoRevision: the disk under the data directory is
// full. A push is refused or its revision waits; whatever was answered is applied
// once there is room, by itself.
func TestDesired_AFullLedgerDiskLosesNoRevision(t *testing.T) {
	f := newField(t, 1, "")
	disk := filepath.Join(f.dir, "data")
	if !actiontest.Disk(t, disk, 16<<20) {
		return
	}
	f.mustBeReady(Binary)
	f.follows(f.document("a", whole("before\n"), quick))
	empty := fill(t, disk)
	taken, refused := "", 0
	for i := range 5 {
		commit := f.work.Commit("on a full disk", "-- host.yaml --\n"+f.document("a", whole(fmt.Sprintf("full %d\n", i)+strings.Repeat("x\n", 5000)), quick))
		said, ok := f.push()
		if ok {
			taken = commit
			continue
		}
		refused++
		t.Logf("refused: %.300s", said)
	}
	if text := is(f.at("a")); torn(strings.TrimPrefix(text, "file 0644 ")) {
		t.Errorf("a is half written: %.100q", text)
	}
	empty()
	t.Logf("%d of 5 pushes were refused", refused)
	began := time.Now()
	last := f.work.Commit("with room", "-- host.yaml --\n"+f.document("a", whole("room\n"), quick))
	if taken != "" && refused == 0 {
		if row := f.rest(taken); row.State != "good" && row.State != "bad" {
			t.Errorf("what was taken is %s: %s", row.State, row.Why)
		}
	}
	if !Until(func() bool { _, ok := f.push(); return ok }) {
		t.Fatalf("with room again a push is refused\n%s", f.log)
	}
	if row := f.rest(last); row.State != "good" {
		t.Fatalf("%s: %s", row.State, row.Why)
	}
	f.becomes("a", "file 0644 "+whole("room\n"))
	t.Logf("good %s after there was room", time.Since(began).Round(time.Millisecond))
	f.stop()
}
