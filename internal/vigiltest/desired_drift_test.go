package vigiltest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/api/contract"
	"vigil/gitwatch/gittest"
)

// document is a File of the managed folder.
func (f *field) document(name, content string, more ...string) string {
	return fmt.Sprintf("apiVersion: vigil/v1\nkind: File\nmetadata: {name: %s}\nspec:\n  path: %s\n  permissions: \"0644\"\n  content: %q\n  %s\n---\n",
		strings.ReplaceAll(name, "/", "-"), f.at(name), content, strings.Join(more, "\n  "))
}

// follows commits documents, pushes them, and waits until they hold.
func (f *field) follows(docs ...string) string {
	f.t.Helper()
	commit := f.work.Commit("next", "-- host.yaml --\n"+strings.Join(docs, ""))
	if said, ok := f.push("-o", "confirm-prune"); !ok {
		f.t.Fatalf("the push is refused: %s", said)
	}
	if row := f.rest(commit); row.State != "good" {
		f.t.Fatalf("%s is %s: %s", commit, row.State, row.Why)
	}
	return commit
}

// drifts is how many differences of a thing were found and are gone: one that stands
// may take in what somebody does next.
func (f *field) drifts(ref string) (n int) {
	f.t.Helper()
	var list contract.DriftList
	if err := f.get(f.t.Context(), "/api/v1/drift/history?limit=500&ref="+ref, &list); err != nil {
		f.t.Fatal(err)
	}
	for _, d := range list.Drifts {
		if d.Ref == ref && d.EndedAt != nil {
			n++
		}
	}
	return n
}

// slowRounds leaves it to events to find a change.
const slowRounds = "resync = \"1h\"\n"

// without takes the setting of a round away, to set another one.
func without(f *field, more string) {
	f.t.Helper()
	file := filepath.Join(f.dir, "vigil.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		f.t.Fatal(err)
	}
	put(f.t, file, strings.Replace(string(text), "resync = \"5s\"\n", more, 1))
}

const quick = "heal: {backoff: 5ms, maxAttempts: 1000, quietReset: 1s}"

// TestDesired_EveryWayToEditComesBack: whatever a person or a tool does to a
// managed file or folder, it is found by its event, put right, and on record.
func TestDesired_EveryWayToEditComesBack(t *testing.T) {
	f := newField(t, 1, "")
	without(f, slowRounds)
	f.mustBeReady(Binary)
	folder := fmt.Sprintf("apiVersion: vigil/v1\nkind: Directory\nmetadata: {name: d}\nspec: {path: %s, permissions: \"0755\", %s}\n---\n", f.at("d"), quick)
	f.follows(f.document("a", "as it should be\n", quick), folder, f.document("d/b", "deep\n", quick, "dependsOn: [Directory/d]"))
	a, deep := f.at("a"), f.at("d/b")
	elsewhere := filepath.Join(f.dir, "elsewhere")
	put(t, elsewhere, "somebody else's\n")
	edits := []struct {
		name, ref string
		do        func() error
	}{
		{"written in place", "File/a", func() error { return os.WriteFile(a, []byte("x"), 0o644) }},
		{"appended to", "File/a", func() error {
			h, err := os.OpenFile(a, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = h.WriteString("more")
			return errors.Join(err, h.Close())
		}},
		{"renamed over", "File/a", func() error { return errors.Join(os.WriteFile(a+"~", []byte("x"), 0o644), os.Rename(a+"~", a)) }},
		{"sed -i", "File/a", func() error { return command("sed", "-i", "s/should/could/", a) }},
		{"truncated", "File/a", func() error { return os.Truncate(a, 3) }},
		{"swapped for a link", "File/a", func() error { return errors.Join(os.Remove(a), os.Symlink(elsewhere, a)) }},
		{"chmod", "File/a", func() error { return os.Chmod(a, 0o666) }},
		{"removed", "File/a", func() error { return os.Remove(a) }},
		{"moved away", "File/a", func() error { return os.Rename(a, filepath.Join(f.dir, "moved")) }},
		{"deep removed", "File/d-b", func() error { return os.Remove(deep) }},
		{"folder chmod", "Directory/d", func() error { return os.Chmod(f.at("d"), 0o700) }},
		{"folder removed", "Directory/d", func() error { return os.RemoveAll(f.at("d")) }},
		{"folder moved away", "Directory/d", func() error { return os.Rename(f.at("d"), filepath.Join(f.dir, "moved-d")) }},
	}
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			before := f.drifts(e.ref)
			began := time.Now()
			if err := e.do(); err != nil {
				t.Fatal(err)
			}
			whole := func() bool {
				return is(a) == "file 0644 as it should be\n" && is(f.at("d")) == "folder 0755" && is(deep) == "file 0644 deep\n"
			}
			if !quickly(func() bool { return whole() && f.drifts(e.ref) > before }) {
				t.Fatalf("a %q, d %q, d/b %q, %d drifts of %s before and %d now\n%s", is(a), is(f.at("d")), is(deep), before, e.ref, f.drifts(e.ref), f.log)
			}
			t.Logf("back and on record after %s", time.Since(began).Round(time.Millisecond))
		})
	}
	if got := is(elsewhere); got != "file 0644 somebody else's\n" {
		t.Errorf("something was written through a link: %q", got)
	}
	f.stop()
}

// TestDesired_AnotherOwnerComesBack: somebody who may gives managed files and folders
// to another user or group. It is found by its event, put right, and on record with
// both owners; what no document says is left as it is.
func TestDesired_AnotherOwnerComesBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not shown here: it takes root")
		return
	}
	f := newField(t, 1, "")
	without(f, slowRounds)
	f.mustBeReady(Binary)
	f.follows(f.document("a", "ours\n", quick, "owner: root", "group: daemon"), f.document("free", "anybody's\n", quick),
		fmt.Sprintf("apiVersion: vigil/v1\nkind: Directory\nmetadata: {name: d}\nspec: {path: %s, permissions: \"0750\", owner: daemon, group: root, %s}\n---\n", f.at("d"), quick))
	owners := func(name string) string {
		info, err := os.Lstat(f.at(name))
		if err != nil {
			return err.Error()
		}
		st := info.Sys().(*syscall.Stat_t)
		return fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode&0o7777)
	}
	for _, e := range []struct {
		name, ref, field string
		uid, gid         int
	}{
		{"a", "File/a", "owner", 2, -1}, {"a", "File/a", "group", -1, 2}, {"a", "File/a", "owner", 12345, 12345},
		{"d", "Directory/d", "owner", 0, -1}, {"d", "Directory/d", "group", -1, 1},
	} {
		was, before := owners(e.name), f.drifts(e.ref)
		if err := os.Lchown(f.at(e.name), e.uid, e.gid); err != nil {
			t.Fatal(err)
		}
		if !quickly(func() bool { return owners(e.name) == was && f.drifts(e.ref) > before }) {
			t.Fatalf("%s is %s, wanted %s, %d drifts of it before and %d now\n%s", e.name, owners(e.name), was, before, f.drifts(e.ref), f.log)
		}
		var list contract.DriftList
		if err := f.get(t.Context(), "/api/v1/drift/history?limit=1&ref="+e.ref, &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Drifts) != 1 || list.Drifts[0].Field != e.field && e.uid < 1000 {
			t.Errorf("on record is %+v", list.Drifts)
		}
	}
	if err := os.Chown(f.at("free"), 2, 2); err != nil {
		t.Fatal(err)
	}
	put(t, f.at("a"), "changed\n") // what is told after it is healed after it was looked at
	f.becomes("a", "file 0644 ours\n")
	var list contract.DriftList
	if err := f.get(t.Context(), "/api/v1/drift/history?limit=1&ref=File/free", &list); err != nil {
		t.Fatal(err)
	}
	if got := owners("free"); got != "2:2 644" || len(list.Drifts) > 0 {
		t.Errorf("a file whose owner no document says is %s: %+v", got, list.Drifts)
	}
	if got := owners("a"); got != "0:1 644" {
		t.Errorf("a is %s", got)
	}
	f.stop()
}

// TestDesired_LostEventsForceAWholeLook: the kernel's queue of file events
// overflows (30,000 files appear while vigild cannot read it) and the change of a
// managed file is among what is lost. It comes back long before the next round.
func TestDesired_LostEventsForceAWholeLook(t *testing.T) {
	f := newField(t, 1, "")
	without(f, slowRounds)
	f.mustBeReady(Binary)
	f.follows(f.document("a", "as it should be\n", quick))
	pid := f.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i := range 30_000 {
		h, err := os.Create(f.at(fmt.Sprintf("flood%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put(t, f.at("a"), "changed when nobody listened\n")
	began := time.Now()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.becomes("a", "file 0644 as it should be\n")
	t.Logf("back after %s", time.Since(began).Round(time.Millisecond))
	if n := f.metric("vigil_watch_overflows_total"); n < 1 {
		t.Errorf("%v overflows are told: the test tries nothing", n)
	}
	if !Until(func() bool { return f.drifts("File/a") > 0 }) {
		t.Error("it is not on record")
	}
	f.stop()
}

// fewWatches is a program that is vigild in a user namespace of its own, whose limit
// of watched folders is n; the host's is left alone. Where there are no user
// namespaces it says so and returns false.
func (f *field) fewWatches(n int) (program string, ok bool) {
	f.t.Helper()
	set := fmt.Sprintf("echo %d >/proc/sys/user/max_inotify_watches", n)
	if err := command("unshare", "--user", "--map-root-user", "sh", "-c", set); err != nil {
		f.t.Logf("not shown here: %v", err)
		return "", false
	}
	program = filepath.Join(f.dir, "few")
	text := fmt.Sprintf("#!/bin/sh\nexec unshare --user --map-root-user sh -c '%s && exec \"$0\" \"$@\"' %q \"$@\"\n", set, Binary)
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		f.t.Fatal(err)
	}
	return program, true
}

// TestDesired_WithoutWatchesRoundsFindIt: the kernel lets vigild watch not one folder.
// It says which it cannot watch and how to mend that, of what is managed and of what
// it reads; and rounds find drift, and commits in the repository that is followed.
func TestDesired_WithoutWatchesRoundsFindIt(t *testing.T) {
	repo := gittest.Repo(t)
	f := newField(t, 1, fmt.Sprintf("source = \"path\"\npath = %q\npoll = \"1s\"\n", repo.Path))
	program, ok := f.fewWatches(0)
	if !ok {
		return
	}
	without(f, "resync = \"1s\"\n")
	one := repo.Commit("one", "-- host.yaml --\n"+f.document("a", "one\n", quick))
	f.mustBeReady(program)
	if row := f.rest(one); row.State != "good" {
		t.Fatalf("%s is %s: %s", one, row.State, row.Why)
	}
	f.becomes("a", "file 0644 one\n")
	for range 3 {
		f.heals()
	}
	repo.Commit("two", "-- host.yaml --\n"+f.document("a", "two\n", quick))
	f.becomes("a", "file 0644 two\n")
	for _, dir := range []string{f.managed(), filepath.Join(repo.Path, ".git")} {
		told := regexp.MustCompile(`(?m)^.*found by rounds alone.*` + regexp.QuoteMeta(dir) + `.*max_user_watches.*$`)
		if said := told.FindAllString(f.log.String(), -1); len(said) != 1 {
			t.Errorf("of %s it is said %d times that it cannot be watched:\n%s", dir, len(said), f.log)
		}
	}
	if got := f.metric("vigil_watched_folders_missing"); got < 1 {
		t.Errorf("vigil_watched_folders_missing is %v", got)
	}
	f.stop()
}

// metric reads one figure of /metrics; -1: it is not there.
func (f *field) metric(name string) float64 {
	f.t.Helper()
	_, text, err := f.ask(f.t.Context(), "GET", "/metrics", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
			fields := strings.Fields(line)
			v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				f.t.Fatal(err)
			}
			return v
		}
	}
	return -1
}

// TestDesired_AFightStopsItself: a process writes a managed file anew every 10 ms.
// Healing it stops, says so with both values, costs next to nothing from then on,
// and others are healed meanwhile.
func TestDesired_AFightStopsItself(t *testing.T) {
	f := newField(t, 1, "")
	f.mustBeReady(Binary)
	f.follows(f.document("fought", "peace\n", "heal: {backoff: 20ms, maxAttempts: 5, quietReset: 10m}"), f.document("other", "calm\n", quick))
	enough, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-enough:
				return
			case <-tick.C:
				_ = os.WriteFile(f.at("fought"), []byte("war\n"), 0o644)
			}
		}
	}()
	t.Cleanup(func() { close(enough); <-over })
	status := func() string {
		var r contract.Resource
		if err := f.get(t.Context(), "/api/v1/resources/File/fought", &r); err != nil {
			t.Fatal(err)
		}
		return r.Status + ": " + r.Reason
	}
	if !Until(func() bool { return strings.HasPrefix(status(), "stopped") }) {
		t.Fatalf("it does not stop: %s\n%s", status(), f.log)
	}
	if log := f.log.String(); !strings.Contains(log, "a heal stopped itself") || !strings.Contains(log, "File/fought") || !strings.Contains(log, "sha256 goes from") {
		t.Errorf("the fight is not told:\n%s", log)
	}
	before, began := f.cpu(), time.Now()
	for i := range 20 {
		put(t, f.at("other"), fmt.Sprintf("touched %d\n", i))
		f.becomes("other", "file 0644 calm\n")
	}
	wait(1000, f.done)
	used, span := f.cpu()-before, time.Since(began)
	t.Logf("%s of CPU in %s, twenty heals of another file among them", used, span.Round(time.Millisecond))
	if used > span/2 {
		t.Errorf("a fight that was stopped costs %s of CPU in %s", used, span)
	}
	if got := status(); !strings.HasPrefix(got, "stopped") {
		t.Errorf("it goes on: %s", got)
	}
	f.stop()
}

// cpu is what the daemon has used so far.
func (f *field) cpu() time.Duration {
	f.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, i := range []int{11, 12} { // utime, stime
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			f.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // 100 a second on every Linux that there is
}
