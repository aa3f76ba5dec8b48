package detach_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/actions/detach"
	"vigil/actions/launch"
	"vigil/actions/units"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func TestMain(m *testing.M) { unitstest.Main(m, detach.Attempt) }

// rig is a data directory and a systemd that both outlive any Detacher.
type rig struct {
	*testing.T
	pid1 *unitstest.PID1
	dir  string
}

func newRig(t *testing.T) *rig {
	return &rig{t, unitstest.Start(t), filepath.Join(t.TempDir(), "attempt")}
}

// vigild is a new one each time.
func (r *rig) vigild() *detach.Detacher {
	r.Helper()
	l, err := launch.New(launch.Config{CgroupRoot: "off"}, launch.Deps{})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(l.Close)
	m, err := units.New(units.Config{Bus: r.pid1.Address}, units.Deps{Launcher: l})
	if err != nil {
		r.Fatal(err)
	}
	d, err := detach.New(detach.Config{Dir: r.dir, Self: unitstest.Wrapper(r)}, detach.Deps{Units: m})
	if err != nil {
		r.Fatal(err)
	}
	return d
}

func sh(script string) launch.Program {
	return launch.Program{Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "SECRET=x"}, Timeout: 10 * time.Second, KillAfter: 200 * time.Millisecond}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("never came: %s", what)
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// TestDetached_RunsAsAUnitNamedAfterTheAttempt: output, exit and what it got are
// those of a child; what was to be run is not left on disk.
func TestDetached_RunsAsAUnitNamedAfterTheAttempt(t *testing.T) {
	r := newRig(t)
	p := sh("cat; echo \"$SECRET\" >&2; exit 3")
	p.Stdin = []byte("told\n")
	e, err := r.vigild().Run(t.Context(), "1-7-1", p)
	if err != nil || !e.Begun || e.Unseen != "" || e.Exit != 3 || e.Output != "told\nx\n" {
		t.Errorf("%+v, %v", e, err)
	}
	if got := r.pid1.Asked(); len(got) != 1 || got[0] != "StartTransientUnit vigil-attempt-1-7-1.service fail" {
		t.Errorf("asked %v", got)
	}
	if exists(filepath.Join(r.dir, "1-7-1", "program")) {
		t.Error("what was to be run lies there still")
	}
	if st, err := os.Stat(r.dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", st, err)
	}
}

// TestDetached_OutlivesVigild: left in the middle, found again by another vigild,
// run once; and found again after its end too, as often as it is asked for.
func TestDetached_OutlivesVigild(t *testing.T) {
	r := newRig(t)
	mark, gate := filepath.Join(t.TempDir(), "ran"), filepath.Join(t.TempDir(), "go")
	ctx, leave := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := r.vigild().Run(ctx, "1-7-1", sh("echo ran >>"+mark+"; while ! test -e "+gate+"; do :; done; echo done; exit 4"))
		ended <- err
	}()
	eventually(t, "the program", func() bool { return exists(mark) })
	leave(remedy.ErrLeft)
	if err := <-ended; !errors.Is(err, remedy.ErrLeft) {
		t.Fatalf("left: %v", err)
	}
	again, leave2 := context.WithCancelCause(t.Context())
	leave2(remedy.ErrLeft) // a vigild that has no time to wait either
	if e, err := r.vigild().Rejoin(again, "1-7-1", 0); !errors.Is(err, remedy.ErrLeft) {
		t.Fatalf("left again: %+v %v", e, err)
	}
	found := make(chan detach.End, 1)
	go func() {
		e, err := r.vigild().Rejoin(t.Context(), "1-7-1", 0)
		if err != nil {
			t.Error(err)
		}
		found <- e
	}()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := <-found; !e.Begun || e.Exit != 4 || e.Output != "done\n" || e.Unseen != "" {
		t.Errorf("found %+v", e)
	}
	if e, err := r.vigild().Rejoin(t.Context(), "1-7-1", 0); err != nil || e.Exit != 4 {
		t.Errorf("asked again: %+v %v", e, err)
	}
	if b, _ := os.ReadFile(mark); string(b) != "ran\n" {
		t.Errorf("it ran %q", b)
	}
}

// TestDetached_NeverTwice: who asks first decides. A wrapper that comes late does
// not begin, and neither does a second one.
func TestDetached_NeverTwice(t *testing.T) {
	r := newRig(t)
	if e, err := r.vigild().Rejoin(t.Context(), "1-7-1", 0); err != nil || e.Begun {
		t.Fatalf("nothing was prepared: %+v %v", e, err)
	}
	mark := filepath.Join(t.TempDir(), "ran")
	dir := filepath.Join(r.dir, "1-7-1")
	if err := os.WriteFile(filepath.Join(dir, "program"), []byte(`{"program":{"Argv":["/usr/bin/touch","`+mark+`"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := detach.Attempt(t.Context(), dir); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a late wrapper: %v", err)
	}
	if exists(mark) {
		t.Error("it ran")
	}
	if _, err := r.vigild().Run(t.Context(), "1-7-1", sh("true")); err == nil {
		t.Error("the attempt was run again")
	}
	if _, err := r.vigild().Run(t.Context(), "1-8-1", sh("true")); err != nil {
		t.Error(err)
	}
	if err := detach.Attempt(t.Context(), filepath.Join(r.dir, "1-8-1")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second wrapper: %v", err)
	}
}

// TestDetached_EndsWhenItsTimeIsOver: by its own timeout and by the caller's end,
// with all it started.
func TestDetached_EndsWhenItsTimeIsOver(t *testing.T) {
	for name, how := range map[string]func(*rig) (detach.End, error){
		"timeout": func(r *rig) (detach.End, error) {
			p := sh("sleep 1000 & sleep 1000")
			p.Timeout = 300 * time.Millisecond
			return r.vigild().Run(r.Context(), "1-7-1", p)
		},
		"cancel": func(r *rig) (detach.End, error) {
			ctx, stop := context.WithCancel(r.Context())
			defer stop()
			deaf := filepath.Join(r.TempDir(), "deaf")
			go func() {
				defer stop()
				eventually(r, "it ignores SIGTERM", func() bool { return exists(deaf) })
			}()
			return r.vigild().Run(ctx, "1-7-1", sh("trap '' TERM; touch "+deaf+"; sleep 1000 & sleep 1000"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			e, err := how(r)
			if err != nil || e.Unseen != "" || e.TimedOut == e.Cancelled {
				t.Errorf("%+v %v", e, err)
			}
			eventually(t, "the end of the unit", func() bool { return len(r.pid1.Pids()) == 0 })
		})
	}
}

// TestDetached_AWrapperThatIsKilledIsNotBelieved: its end was not written, so
// nobody claims to know it.
func TestDetached_AWrapperThatIsKilledIsNotBelieved(t *testing.T) {
	r := newRig(t)
	mark := filepath.Join(t.TempDir(), "pid")
	found := make(chan detach.End, 1)
	go func() {
		e, err := r.vigild().Run(t.Context(), "1-7-1", sh("echo $$ >"+mark+"; exec sleep 1000"))
		if err != nil {
			t.Error(err)
		}
		found <- e
	}()
	var pid int
	eventually(t, "the program", func() bool {
		b, _ := os.ReadFile(mark)
		_, err := fmt.Sscanf(string(b), "%d\n", &pid)
		return err == nil
	})
	for _, w := range r.pid1.Pids() {
		_ = syscall.Kill(w, syscall.SIGKILL)
	}
	if e := <-found; !e.Begun || e.Unseen == "" {
		t.Errorf("%+v", e)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL) // a real systemd does it
}

// TestDetached_NotStarted: each reason is told, nothing is left lying there.
func TestDetached_NotStarted(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(*rig)
		p    launch.Program
		kind fault.Kind
		says string
	}{
		"twice in PID 1": {func(r *rig) {
			r.pid1.Result("StartTransientUnit", "vigil-attempt-1-7-1.service", "org.freedesktop.systemd1.UnitExists")
		}, sh("true"), fault.Conflict, "vigil-attempt-1-7-1"},
		"not allowed": {func(r *rig) {
			r.pid1.Result("StartTransientUnit", "vigil-attempt-1-7-1.service", "org.freedesktop.DBus.Error.AccessDenied")
		}, sh("true"), fault.Forbidden, "vigil-attempt-1-7-1"},
		"exec fails":      {func(r *rig) { r.pid1.Lame() }, sh("true"), fault.Unavailable, "did not start"},
		"no such program": {nil, launch.Program{Argv: []string{"/no/such/program"}}, fault.NotFound, "/no/such/program"},
		"not a user":      {nil, launch.Program{Argv: []string{"/bin/true"}, User: "nobody-at-all"}, fault.Unprocessable, "nobody-at-all"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if tc.set != nil {
				tc.set(r)
			}
			e, err := r.vigild().Run(t.Context(), "1-7-1", tc.p)
			if fault.KindOf(err) != tc.kind || !strings.Contains(fmt.Sprint(err), tc.says) || e.Begun {
				t.Errorf("%+v, %v (%v)", e, err, fault.KindOf(err))
			}
		})
	}
	r := newRig(t)
	for _, id := range []string{"", "../1", "a", "1-2-3-4-5", "1-"} {
		if _, err := r.vigild().Run(t.Context(), id, sh("true")); fault.KindOf(err) != fault.Unprocessable {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestDetached_OldFoldersGo: but not one that runs, nor one that was asked for
// lately, nor what is not an attempt's.
func TestDetached_OldFoldersGo(t *testing.T) {
	r := newRig(t)
	if _, err := r.vigild().Run(t.Context(), "1-1-1", sh("true")); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := r.vigild().Run(ctx, "1-2-1", sh("exec sleep 1000"))
		ended <- err
	}()
	eventually(t, "its claim", func() bool { return exists(filepath.Join(r.dir, "1-2-1", "claim")) })
	leave(remedy.ErrLeft)
	<-ended
	if _, err := r.vigild().Run(t.Context(), "1-3-1", sh("true")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, n := range []string{"1-1-1", "1-2-1", "1-3-1", "other"} {
		if err := os.Chtimes(filepath.Join(r.dir, n), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := r.vigild().Rejoin(t.Context(), "1-3-1", 0); err != nil || !e.Begun {
		t.Fatal(e, err)
	}
	if _, err := r.vigild().Run(t.Context(), "1-4-1", sh("true")); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[string]bool{"1-1-1": false, "1-2-1": true, "1-3-1": true, "1-4-1": true, "other": true} {
		if exists(filepath.Join(r.dir, n)) != want {
			t.Errorf("%s: want %v", n, want)
		}
	}
}
