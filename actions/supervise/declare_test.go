package supervise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vigil/actions/launch"
	"vigil/actions/supervise"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// declaring runs a supervisor that keeps what is declared, too.
func declaring(t testing.TB, dir string, local ...supervise.Process) *house {
	t.Helper()
	return run(t, supervise.Config{Processes: local, Dir: dir, Declared: true})
}

// raw is a worker as a document declares it.
func raw(t testing.TB, env ...string) []byte {
	t.Helper()
	p := worker(t, env...)
	p.Name = ""
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// environ is a variable that a process was started with.
func environ(pid int, name string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for _, v := range strings.Split(string(b), "\x00") {
		if x, ok := strings.CutPrefix(v, name+"="); ok {
			return x
		}
	}
	return ""
}

// TestDeclare_Life: on disk before it starts, the same again changes nothing,
// another definition restarts it, death is told as that of a local one, stopped
// stays stopped, forgotten leaves nothing but its log.
func TestDeclare_Life(t *testing.T) {
	dir := t.TempDir()
	h := declaring(t, dir)
	one, two := raw(t, "V=1"), raw(t, "V=2")
	first, err := h.Declare(t.Context(), "web", one, true)
	if err != nil || !first.Changed || !first.Up || !first.Declared || !first.Current || environ(first.Pid, "V") != "1" {
		t.Fatalf("declared: %+v, %v", first, err)
	}
	if on, err := os.ReadFile(filepath.Join(dir, "web.process")); err != nil || string(on) != string(one) {
		t.Errorf("on disk: %s, %v", on, err)
	}
	if i, err := h.Declare(t.Context(), "web", one, true); err != nil || i.Changed || i.Pid != first.Pid {
		t.Errorf("the same again: %+v, %v", i, err)
	}
	h.wait(t, "up", up)
	if fell, err := h.Lasts(t.Context(), "web"); fell != "" || err != nil {
		t.Errorf("%s, %v", fell, err)
	}
	if i, _ := h.Look("web"); !first.Rising || i.Rising {
		t.Errorf("started just now %v, and after its hold %v", first.Rising, i.Rising)
	}
	_ = syscall.Kill(first.Pid, syscall.SIGKILL)
	if e := h.wait(t, "down", down); e.Asked || e.Signal != "SIGKILL" {
		t.Errorf("death told as %+v", e)
	}
	back, err := h.Start(t.Context(), "web")
	if err != nil || !back.Up {
		t.Fatalf("started again: %+v, %v", back, err)
	}
	other, err := h.Declare(t.Context(), "web", two, true)
	if err != nil || !other.Changed || other.Pid == back.Pid || environ(other.Pid, "V") != "2" || launch.Alive(back.Pid, back.Start) {
		t.Errorf("another definition: %+v, %v", other, err)
	}
	held, err := h.Declare(t.Context(), "web", two, false)
	if err != nil || held.Running || !held.Stopped || launch.Alive(other.Pid, other.Start) {
		t.Errorf("held: %+v, %v", held, err)
	}
	if again, err := h.Declare(t.Context(), "web", two, false); err != nil || again.Changed {
		t.Errorf("held again: %+v, %v", again, err)
	}
	last, err := h.Declare(t.Context(), "web", two, true)
	if err != nil || !last.Up || last.Stopped {
		t.Errorf("run again: %+v, %v", last, err)
	}
	if got, ok := h.Definition("web"); !ok || string(got) != string(two) {
		t.Errorf("defined as %s", got)
	}
	if i, err := h.Forget(t.Context(), "web"); err != nil || !i.Changed || launch.Alive(last.Pid, last.Start) {
		t.Errorf("forgotten: %+v, %v", i, err)
	}
	if i, err := h.Forget(t.Context(), "web"); err != nil || i.Changed {
		t.Errorf("forgotten again: %+v, %v", i, err)
	}
	if len(h.List()) != 0 {
		t.Errorf("still there: %+v", h.List())
	}
	es, _ := os.ReadDir(dir)
	if len(es) != 1 || es[0].Name() != "web.log" {
		t.Errorf("left: %v", es)
	}
	h.wait(t, "gone is told", func(e supervise.Event) bool { return e.Gone })
}

// TestDeclare_Refused: what may not be declared starts nothing and leaves nothing.
func TestDeclare_Refused(t *testing.T) {
	dir := t.TempDir()
	local := worker(t)
	local.Name, local.Autostart = "mine", off()
	h := declaring(t, dir, local)
	for _, tc := range []struct {
		name, raw, says string
		kind            fault.Kind
	}{
		{"mine", string(raw(t)), "[[process]]", fault.Conflict},
		{"Bad Name", string(raw(t)), "not the name", fault.Unprocessable},
		{"a", `{"argv": ["true"]}`, "absolute path", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true"], "shell": true}`, "unknown field", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true"]} {}`, "does not end", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true"], "name": "b"}`, "neither name", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true"], "stop_signal": "SIGFOO", "limits": {"ram": 1}}`, "limits", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true"], "env": {"VIGIL_HOME": "x"}}`, "vigild's", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true"], "ready": {"tcp": "a:1", "timeout": 36000000000000}}`, "longer than", fault.Unprocessable},
		{"a", `{"argv": ["/bin/true", "` + strings.Repeat("x", supervise.MaxDefinition) + `"]}`, "at most", fault.TooLarge},
	} {
		if _, err := h.Declare(t.Context(), tc.name, []byte(tc.raw), true); fault.KindOf(err) != tc.kind || !strings.Contains(fmt.Sprint(err), tc.says) {
			t.Errorf("%.60s: got %v (%v), want %q", tc.raw, err, fault.KindOf(err), tc.says)
		}
	}
	if _, err := h.Forget(t.Context(), "mine"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the local config's is forgotten: %v", err)
	}
	if i := h.List(); len(i) != 1 || i[0].Running || i[0].Declared {
		t.Errorf("kept: %+v", i)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.process*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	closed := open(t, t.TempDir(), local)
	if _, err := closed.Declare(t.Context(), "a", raw(t), true); fault.KindOf(err) != fault.Forbidden || !strings.Contains(err.Error(), "git.trust_commands") {
		t.Errorf("where nothing may be declared: %v", err)
	}
}

// TestDeclare_WhatDoesNotStartIsDefined: a start that fails is an error, and the
// way back is another definition or Forget.
func TestDeclare_WhatDoesNotStartIsDefined(t *testing.T) {
	h := declaring(t, t.TempDir())
	good := raw(t, "V=1")
	if _, err := h.Declare(t.Context(), "web", good, true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Declare(t.Context(), "web", []byte(`{"argv": ["/no/such/program"]}`), true); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if i, ok := h.Look("web"); !ok || i.Running {
		t.Errorf("%+v", i)
	}
	if i, err := h.Declare(t.Context(), "web", good, true); err != nil || !i.Up {
		t.Errorf("back: %+v, %v", i, err)
	}
}

// TestDeclare_EveryMomentOfACrash: the folder as a vigild that was killed leaves it
// between the definition, the start and the end. Never two of one process, nothing
// runs that is not kept, and what runs by another definition is said to.
func TestDeclare_EveryMomentOfACrash(t *testing.T) {
	one, two := raw(t, "V=1"), raw(t, "V=2")
	put := func(t *testing.T, dir string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "web.process"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// left has run one and is gone; the process is not.
	left := func(t *testing.T, dir string) supervise.Info {
		t.Helper()
		h := declaring(t, dir)
		i, err := h.Declare(t.Context(), "web", one, true)
		if err != nil {
			t.Fatal(err)
		}
		h.stop()
		return i
	}
	t.Run("defined and not started", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, one)
		h := declaring(t, dir)
		if e := h.wait(t, "up", up); environ(e.Pid, "V") != "1" {
			t.Errorf("started as %q", environ(e.Pid, "V"))
		}
	})
	t.Run("not wholly written", func(t *testing.T) {
		dir := t.TempDir()
		was := left(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "web.process.new"), two[:9], 0o600); err != nil {
			t.Fatal(err)
		}
		h := declaring(t, dir)
		if e := h.wait(t, "up", up); e.Pid != was.Pid {
			t.Errorf("adopted %+v, was %d", e, was.Pid)
		}
		if i, _ := h.Look("web"); !i.Current {
			t.Errorf("%+v", i)
		}
	})
	for name, harm := range map[string]func(string) error{"record on disk": func(string) error { return nil }, "started and not recorded": os.Remove} {
		t.Run("adopted as it is, "+name, func(t *testing.T) {
			dir := t.TempDir()
			was := left(t, dir)
			if err := harm(filepath.Join(dir, "web.state")); err != nil {
				t.Fatal(err)
			}
			h := declaring(t, dir)
			if e := h.wait(t, "up", up); e.Pid != was.Pid {
				t.Errorf("adopted %+v, was %d", e, was.Pid)
			}
			if i, err := h.Declare(t.Context(), "web", one, true); err != nil || i.Changed || !i.Current {
				t.Errorf("the same again: %+v, %v", i, err)
			}
		})
		t.Run("defined anew and not restarted, "+name, func(t *testing.T) {
			dir := t.TempDir()
			was := left(t, dir)
			put(t, dir, two)
			if err := harm(filepath.Join(dir, "web.state")); err != nil {
				t.Fatal(err)
			}
			h := declaring(t, dir)
			if e := h.wait(t, "up", up); e.Pid != was.Pid {
				t.Errorf("adopted %+v, was %d", e, was.Pid)
			}
			if i, _ := h.Look("web"); i.Current {
				t.Errorf("what runs is said to be as defined: %+v", i)
			}
			i, err := h.Declare(t.Context(), "web", two, true)
			if err != nil || i.Pid == was.Pid || environ(i.Pid, "V") != "2" || launch.Alive(was.Pid, was.Start) {
				t.Errorf("declared again: %+v, %v", i, err)
			}
		})
	}
	t.Run("stopped, started again and not recorded", func(t *testing.T) {
		dir := t.TempDir()
		h := declaring(t, dir)
		if _, err := h.Declare(t.Context(), "web", one, false); err != nil {
			t.Fatal(err)
		}
		state := filepath.Join(dir, "web.state")
		stopped, err := os.ReadFile(state)
		if err != nil {
			t.Fatal(err)
		}
		was, err := h.Declare(t.Context(), "web", one, true)
		if err != nil {
			t.Fatal(err)
		}
		h.stop()
		if err := os.WriteFile(state, stopped, 0o600); err != nil {
			t.Fatal(err)
		}
		again := declaring(t, dir)
		if i, err := again.Declare(t.Context(), "web", one, true); err != nil || i.Pid != was.Pid || i.Stopped || i.Starts > 0 {
			t.Errorf("%+v, was %d, %v", i, was.Pid, err)
		}
	})
	t.Run("stopped to be forgotten", func(t *testing.T) {
		dir := t.TempDir()
		h := declaring(t, dir)
		if _, err := h.Declare(t.Context(), "web", one, true); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Stop(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
		h.stop()
		again := declaring(t, dir)
		again.wait(t, "told down", func(e supervise.Event) bool { return !e.Up })
		if i, _ := again.Look("web"); i.Running {
			t.Errorf("started: %+v", i)
		}
		if i, err := again.Forget(t.Context(), "web"); err != nil || !i.Changed {
			t.Errorf("%+v, %v", i, err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		was := left(t, dir)
		put(t, dir, []byte(`{"argv"`))
		h := declaring(t, dir)
		if _, kept := h.Look("web"); kept {
			t.Error("something is kept that nothing defines")
		}
		if i, err := h.Declare(t.Context(), "web", one, true); err != nil || i.Pid != was.Pid {
			t.Errorf("what runs was not found: %+v, was %d, %v", i, was.Pid, err)
		}
	})
}

// TestDeclare_StoppedBeforeItIsDefined: a process that is to be stopped is so on disk, and
// what ran of it has ended, before its new definition is there: whenever vigild dies in
// between, the next one starts nothing.
func TestDeclare_StoppedBeforeItIsDefined(t *testing.T) {
	one, two := raw(t, "V=1"), raw(t, "V=2")
	block := func(t *testing.T, path string) (free func()) {
		t.Helper()
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("a new one", func(t *testing.T) {
		dir := t.TempDir()
		h := declaring(t, dir)
		block(t, filepath.Join(dir, "web.state"))
		if _, err := h.Declare(t.Context(), "web", one, false); err == nil {
			t.Error("declared as stopped, and that could not be written")
		}
		if _, err := os.Lstat(filepath.Join(dir, "web.process")); !os.IsNotExist(err) {
			t.Errorf("defined though nothing says that it is stopped: %v", err)
		}
		if _, kept := h.Look("web"); kept {
			t.Error("it is kept")
		}
	})
	t.Run("a new one, forgotten", func(t *testing.T) {
		dir := t.TempDir()
		h := declaring(t, dir)
		free := block(t, filepath.Join(dir, "web.process.new"))
		if _, err := h.Declare(t.Context(), "web", one, false); err == nil {
			t.Error("declared, and the definition could not be written")
		}
		free()
		if _, err := h.Forget(t.Context(), "web"); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left is %v, %v", left, err)
		}
	})
	t.Run("one that runs", func(t *testing.T) {
		dir := t.TempDir()
		h := declaring(t, dir)
		was, err := h.Declare(t.Context(), "web", one, true)
		if err != nil {
			t.Fatal(err)
		}
		free := block(t, filepath.Join(dir, "web.process.new"))
		if _, err := h.Declare(t.Context(), "web", two, false); err == nil {
			t.Error("declared, and the definition could not be written")
		}
		if launch.Alive(was.Pid, was.Start) {
			t.Error("it runs on")
		}
		h.stop()
		free()
		again := declaring(t, dir)
		again.wait(t, "told down", func(e supervise.Event) bool { return !e.Up })
		if i, err := again.Declare(t.Context(), "web", two, false); err != nil || i.Running || i.Starts > 0 || !i.Stopped {
			t.Errorf("%+v, %v", i, err)
		}
	})
	t.Run("one whose definition was lost", func(t *testing.T) {
		dir := t.TempDir()
		h := declaring(t, dir)
		was, err := h.Declare(t.Context(), "web", one, true)
		if err != nil {
			t.Fatal(err)
		}
		h.stop()
		for _, name := range []string{"web.process", "web.state"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		again := declaring(t, dir)
		if i, err := again.Declare(t.Context(), "web", one, false); err != nil || i.Running || !i.Stopped || launch.Alive(was.Pid, was.Start) {
			t.Errorf("%+v, %v", i, err)
		}
	})
}

// TestDeclare_KillNine: vigild is killed while it declares this and that; the next
// one knows a whole definition, and never are there two of the process.
func TestDeclare_KillNine(t *testing.T) {
	dir := t.TempDir()
	one, two := raw(t, "V=1", "SWARM="+dir), raw(t, "V=2", "SWARM="+dir)
	for round := range 6 {
		daemon := exec.Command(worker(t).Argv[0])
		daemon.Env = []string{"ACT_AS=declarer", "HOME_DIR=" + dir, "ONE=" + string(one), "TWO=" + string(two)}
		out, err := daemon.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		for range 1 + round { // it has declared so often
			if _, err := out.Read(b); err != nil {
				t.Fatal(err)
			}
		}
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
		on, err := os.ReadFile(filepath.Join(dir, "web.process"))
		if err != nil || string(on) != string(one) && string(on) != string(two) {
			t.Fatalf("half a definition: %s, %v", on, err)
		}
		if n := swarm(dir); n > 1 {
			t.Fatalf("%d of one process", n)
		}
	}
	h := declaring(t, dir)
	i, err := h.Declare(t.Context(), "web", two, true)
	if err != nil || environ(i.Pid, "V") != "2" || swarm(dir) != 1 {
		t.Errorf("%+v, %d of them, %v", i, swarm(dir), err)
	}
	if _, err := h.Forget(t.Context(), "web"); err != nil || swarm(dir) != 0 {
		t.Errorf("%d are left, %v", swarm(dir), err)
	}
}

func swarm(dir string) (n int) {
	_ = launch.Walk(func(p launch.Process) bool {
		if p.State != 'Z' && launch.Marked(p.Pid, "SWARM="+dir) {
			n++
		}
		return true
	})
	return n
}

// declarer declares this and that until it is killed, a byte for each.
func declarer() {
	l, _ := launch.New(launch.Config{CgroupRoot: "off"}, launch.Deps{})
	s, err := supervise.New(supervise.Config{Dir: os.Getenv("HOME_DIR"), Declared: true}, supervise.Deps{Launcher: l, Clock: clock.System()})
	if err != nil {
		return
	}
	go func() { _ = s.Run(context.Background()) }()
	for n := 0; ; n++ {
		if _, err := s.Declare(context.Background(), "web", []byte(os.Getenv([]string{"ONE", "TWO"}[n%2])), true); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Print(".")
	}
}

// TestDeclare_TheLocalConfigWins: a name that the local config takes is its own, and
// what ran under it ends; where documents may bring nothing any more, nothing of
// theirs is started.
func TestDeclare_TheLocalConfigWins(t *testing.T) {
	dir := t.TempDir()
	h := declaring(t, dir)
	was, err := h.Declare(t.Context(), "web", raw(t, "V=1"), true)
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	mine := worker(t, "V=mine")
	won := declaring(t, dir, mine)
	eventually(t, "the local one runs", func() bool {
		i, _ := won.Look("web")
		return i.Up && !i.Declared && i.Current && environ(i.Pid, "V") == "mine"
	})
	if launch.Alive(was.Pid, was.Start) {
		t.Error("the declared one runs on")
	}
	if _, err := os.Stat(filepath.Join(dir, "web.process")); err == nil {
		t.Error("its definition is still there")
	}
	if _, err := won.Declare(t.Context(), "two", raw(t, "V=2"), false); err != nil {
		t.Fatal(err)
	}
	won.stop()
	shut := open(t, dir, mine)
	if i := shut.List(); len(i) != 1 || i[0].Name != "web" {
		t.Errorf("kept: %+v", i)
	}
}

// TestDeclare_AtOnce: many callers, one process; and one that is forgotten
// meanwhile is never left running.
func TestDeclare_AtOnce(t *testing.T) {
	dir := t.TempDir()
	h := declaring(t, dir)
	var wg sync.WaitGroup
	one, two := raw(t, "V=1", "SWARM="+dir), raw(t, "V=2", "SWARM="+dir)
	for n := range 4 {
		wg.Go(func() {
			for i := range 3 {
				switch (n + i) % 4 {
				case 0:
					_, _ = h.Forget(t.Context(), "web")
				case 1:
					_, _ = h.Restart(t.Context(), "web")
				case 2:
					_, _ = h.Declare(t.Context(), "web", one, true)
				default:
					_, _ = h.Declare(t.Context(), "web", two, true)
				}
				_ = h.List()
			}
		})
	}
	wg.Wait()
	if _, err := h.Declare(t.Context(), "web", one, true); err != nil || swarm(dir) != 1 {
		t.Errorf("%d run, %v", swarm(dir), err)
	}
	if _, err := h.Forget(t.Context(), "web"); err != nil || swarm(dir) != 0 {
		t.Errorf("%d are left, %v", swarm(dir), err)
	}
}

// TestDeclare_LogsOfTheForgottenAreFew.
func TestDeclare_LogsOfTheForgottenAreFew(t *testing.T) {
	dir := t.TempDir()
	for n := range 60 {
		f := filepath.Join(dir, fmt.Sprintf("old%02d.log", n))
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000+n), 0)
		if err := os.Chtimes(f, when, when); err != nil {
			t.Fatal(err)
		}
	}
	h := declaring(t, dir)
	if _, err := h.Declare(t.Context(), "web", raw(t), true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Forget(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	if len(logs) != 50 || logs[len(logs)-1] != filepath.Join(dir, "web.log") || logs[0] != filepath.Join(dir, "old11.log") {
		t.Errorf("%d logs are left: %v", len(logs), logs)
	}
}

// TestDeclare_AWaitThatIsGivenUpTakesNothingAway: who waits for a turn at a new
// process and gives up leaves it to who has the turn.
func TestDeclare_AWaitThatIsGivenUpTakesNothingAway(t *testing.T) {
	dir := t.TempDir()
	h := declaring(t, dir)
	def := raw(t, "SWARM="+dir)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h.Declare(ctx, "web", def, true) })
		wg.Go(cancel)
		wg.Go(func() {
			if i, err := h.Declare(t.Context(), "web", def, true); err != nil || !i.Running {
				t.Errorf("%+v, %v", i, err)
			}
		})
		wg.Wait()
		if i, ok := h.Look("web"); !ok || !i.Running {
			t.Fatalf("it is not known: %+v, %d run", i, swarm(dir))
		}
		if _, err := h.Forget(t.Context(), "web"); err != nil || swarm(dir) != 0 {
			t.Fatalf("%d are left, %v", swarm(dir), err)
		}
	}
}

// TestDeclare_ForgottenWhileItWaits: what is declared while the process of that name
// is being forgotten is kept afterwards, and known.
func TestDeclare_ForgottenWhileItWaits(t *testing.T) {
	dir := t.TempDir()
	h := declaring(t, dir)
	p := worker(t, "DEAF=1")
	p.Name, p.StopTimeout = "", 300*time.Millisecond
	deaf, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Declare(t.Context(), "web", deaf, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is deaf", func() bool { return strings.Contains(read(t, h, "web"), "works") })
	gone := make(chan error, 1)
	go func() { _, err := h.Forget(t.Context(), "web"); gone <- err }()
	eventually(t, "it is being forgotten", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := h.Start(ctx, "web") // nothing to do, but it waits for its turn
		return fault.KindOf(err) == fault.Cancelled
	})
	i, err := h.Declare(t.Context(), "web", raw(t, "SWARM="+dir), true)
	if err := <-gone; err != nil {
		t.Error(err)
	}
	if got, ok := h.Look("web"); err != nil || !ok || got.Pid != i.Pid || swarm(dir) != 1 {
		t.Errorf("declared %+v, known %+v, %d run, %v", i, got, swarm(dir), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "web.process")); err != nil {
		t.Errorf("not on disk: %v", err)
	}
}
