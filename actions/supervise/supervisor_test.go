package supervise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/actions/launch"
	"vigil/actions/supervise"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

func TestMain(m *testing.M) {
	switch os.Getenv("ACT_AS") {
	case "":
		goleak.VerifyTestMain(m)
	case "vigild": // supervises in the folder it is told, until it is killed
		s, _ := build(os.Getenv("HOME_DIR"), parse(os.Getenv("PROCESSES")), nil)
		_ = s.Run(context.Background())
	case "declarer":
		declarer()
	case "worker":
		if os.Getenv("DEAF") != "" {
			signal.Ignore(syscall.SIGTERM)
		}
		if os.Getenv("CHILD") != "" {
			c := exec.Command("/bin/sleep", "1000")
			if c.Start() != nil {
				os.Exit(1)
			}
			fmt.Println("child", c.Process.Pid)
		}
		if a := os.Getenv("LISTEN"); a != "" {
			l, err := net.Listen("tcp", a)
			if err != nil {
				os.Exit(1)
			}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					fmt.Fprint(c, "")
					c.Close()
				}
			}()
		}
		if f := os.Getenv("TOUCH"); f != "" {
			_ = os.WriteFile(f, nil, 0o600)
		}
		if os.Getenv("END") != "" {
			os.Exit(7)
		}
		fmt.Println("works")
		select {}
	}
}

func parse(s string) (ps []supervise.Process) {
	if err := json.Unmarshal([]byte(s), &ps); err != nil {
		panic(err)
	}
	return ps
}

func build(dir string, ps []supervise.Process, event func(supervise.Event)) (*supervise.Supervisor, error) {
	l, err := launch.New(launch.Config{CgroupRoot: "off"}, launch.Deps{})
	if err != nil {
		return nil, err
	}
	return supervise.New(supervise.Config{Processes: ps, Dir: dir}, supervise.Deps{Launcher: l, Clock: clock.System(), Event: event})
}

func worker(t testing.TB, env ...string) supervise.Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := supervise.Process{Name: "web", Argv: []string{exe}, Env: map[string]string{"ACT_AS": "worker"}}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		p.Env[k] = v
	}
	return p
}

// house runs a supervisor for a test and hears its events.
type house struct {
	*supervise.Supervisor
	mu     sync.Mutex
	events []supervise.Event
	news   chan supervise.Event
	stop   func()
}

func open(t testing.TB, dir string, ps ...supervise.Process) *house {
	t.Helper()
	return run(t, supervise.Config{Processes: ps, Dir: dir})
}

func run(t testing.TB, c supervise.Config) *house {
	t.Helper()
	h := &house{news: make(chan supervise.Event, 1024)}
	l, err := launch.New(launch.Config{CgroupRoot: "off"}, launch.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := supervise.New(c, supervise.Deps{Launcher: l, Clock: clock.System(), Event: func(e supervise.Event) {
		h.mu.Lock()
		h.events = append(h.events, e)
		h.mu.Unlock()
		h.news <- e
	}})
	if err != nil {
		t.Fatal(err)
	}
	h.Supervisor = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		h.stop()
		for _, i := range s.List() {
			if i.Pid > 0 && launch.Alive(i.Pid, i.Start) {
				_ = syscall.Kill(-i.Pid, syscall.SIGKILL)
				var ws syscall.WaitStatus
				_, _ = syscall.Wait4(i.Pid, &ws, 0, nil)
			}
		}
	})
	return h
}

func (h *house) wait(t testing.TB, what string, ok func(supervise.Event) bool) supervise.Event {
	t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case e := <-h.news:
			if ok(e) {
				return e
			}
		case <-end:
			t.Fatalf("never: %s; heard %+v", what, h.events)
		}
	}
}

func up(e supervise.Event) bool   { return e.Up }
func down(e supervise.Event) bool { return !e.Up && e.Pid != 0 }

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func off() *bool { b := false; return &b }

// TestSupervisor_Life: started with vigild, death told at once with its signal,
// nothing restarted unasked, started again when asked, idempotent, stopped.
func TestSupervisor_Life(t *testing.T) {
	h := open(t, t.TempDir(), worker(t))
	first := h.wait(t, "up", up)
	if i, err := h.Start(t.Context(), "web"); err != nil || i.Changed || i.Pid != first.Pid {
		t.Errorf("start of a running process: %+v, %v", i, err)
	}
	if err := syscall.Kill(first.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e := h.wait(t, "down", down)
	if e.Signal != "SIGKILL" || e.Asked || e.Pid != first.Pid {
		t.Errorf("death told as %+v", e)
	}
	if i := h.List()[0]; i.Running || i.Up {
		t.Errorf("restarted unasked: %+v", i)
	}
	i, err := h.Start(t.Context(), "web")
	if err != nil || !i.Changed || !i.Up || i.Pid == first.Pid || i.Starts != 2 {
		t.Errorf("start: %+v, %v", i, err)
	}
	second := i.Pid
	if i, err = h.Restart(t.Context(), "web"); err != nil || i.Pid == second || !i.Up {
		t.Errorf("restart: %+v, %v", i, err)
	}
	if e = h.wait(t, "asked down", down); !e.Asked || e.Signal != "SIGTERM" {
		t.Errorf("asked death told as %+v", e)
	}
	if i, err = h.Stop(t.Context(), "web"); err != nil || !i.Changed || i.Running || !i.Stopped {
		t.Errorf("stop: %+v, %v", i, err)
	}
	if i, err = h.Stop(t.Context(), "web"); err != nil || i.Changed {
		t.Errorf("second stop: %+v, %v", i, err)
	}
	if _, err = h.Start(t.Context(), "wep"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("unknown process: %v", err)
	}
}

func TestSupervisor_StoppedStaysStoppedOverRestarts(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, worker(t))
	h.wait(t, "up", up)
	if _, err := h.Stop(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	h.stop()
	again := open(t, dir, worker(t))
	if e := again.wait(t, "told down", func(e supervise.Event) bool { return !e.Up }); !e.Asked {
		t.Errorf("told as %+v", e)
	}
	if i := again.List()[0]; !i.Stopped {
		t.Errorf("nobody can see that somebody stopped it: %+v", i)
	}
	if i, err := again.Start(t.Context(), "web"); err != nil || i.Stopped || i.Starts != 1 {
		t.Errorf("start lifts it: %+v, %v", i, err)
	}
}

// TestSupervisor_NotStartedWithVigild: one that vigild is not to start is stopped and not
// dead, so that no policy starts it; started once it is kept, also by the next vigild,
// until the host boots anew.
func TestSupervisor_NotStartedWithVigild(t *testing.T) {
	dir, p := t.TempDir(), worker(t)
	p.Autostart = off()
	absent := func(e supervise.Event) bool { return !e.Up && e.Pid == 0 }
	h := open(t, dir, p)
	if e := h.wait(t, "told down", absent); !e.Asked || !strings.Contains(e.Reason, "autostart") {
		t.Errorf("told as %+v", e)
	}
	if i := h.List()[0]; !i.Stopped || i.Running {
		t.Errorf("it counts as dead: %+v", i)
	}
	i, err := h.Start(t.Context(), "web")
	if err != nil || i.Stopped || !i.Up {
		t.Fatalf("start: %+v, %v", i, err)
	}
	h.stop()
	if err := syscall.Kill(i.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool { return !launch.Alive(i.Pid, i.Start) })
	again := open(t, dir, p)
	if e := again.wait(t, "told down", absent); e.Asked || again.List()[0].Stopped {
		t.Errorf("it was kept, died while vigild was away, and counts as stopped: %+v", e)
	}
	again.stop()

	b, _ := json.Marshal(map[string]any{"boot": "another", "pid": i.Pid, "start": i.Start})
	if err := os.WriteFile(filepath.Join(dir, "web.state"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	booted := open(t, dir, p)
	if e := booted.wait(t, "told down", absent); !e.Asked || !booted.List()[0].Stopped {
		t.Errorf("after a reboot it counts as dead: %+v", e)
	}
}

func TestSupervisor_KillsOneThatIgnoresTheStopSignal(t *testing.T) {
	p := worker(t, "DEAF=1")
	p.StopTimeout = 50 * time.Millisecond
	h := open(t, t.TempDir(), p)
	h.wait(t, "up", up)
	eventually(t, "it is deaf", func() bool { return strings.Contains(read(t, h, "web"), "works") })
	if _, err := h.Stop(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if e := h.wait(t, "down", down); e.Signal != "SIGKILL" || !e.Asked {
		t.Errorf("told as %+v", e)
	}
}

func read(t testing.TB, h *house, name string) string {
	t.Helper()
	i := h.List()[0]
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", i.Pid))
	if err != nil {
		return ""
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSupervisor_RestOfTheGroupGoesWithIt: what a killed parent leaves behind
// would hold its ports, so it is gone before the death is told.
func TestSupervisor_RestOfTheGroupGoesWithIt(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, worker(t, "CHILD=1"))
	e := h.wait(t, "up", up)
	var child int
	eventually(t, "the child is there", func() bool {
		_, err := fmt.Sscanf(read(t, h, "web"), "child %d", &child)
		return err == nil
	})
	_ = syscall.Kill(e.Pid, syscall.SIGKILL)
	h.wait(t, "down", down)
	eventually(t, "the child is gone", func() bool {
		p, err := launch.Look(child)
		return err != nil || p.State == 'Z'
	})
}

func TestSupervisor_Ready(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	touch := filepath.Join(t.TempDir(), "ready")
	for _, tc := range []struct {
		name  string
		env   string
		ready supervise.Ready
		kind  fault.Kind
		says  string
	}{
		{"tcp", "LISTEN=" + free, supervise.Ready{TCP: free}, fault.OK, ""},
		{"file", "TOUCH=" + touch, supervise.Ready{File: touch}, fault.OK, ""},
		{"exec", "X=1", supervise.Ready{Exec: []string{"/bin/true"}}, fault.OK, ""},
		{"after", "X=1", supervise.Ready{After: time.Millisecond}, fault.OK, ""},
		{"old file", "X=1", supervise.Ready{File: "/etc/passwd", Timeout: 30 * time.Millisecond}, fault.Timeout, "older"},
		{"never", "X=1", supervise.Ready{TCP: free, Timeout: time.Second}, fault.Timeout, "refused"},
		{"exec fails", "X=1", supervise.Ready{Exec: []string{"/bin/false"}, Timeout: 100 * time.Millisecond}, fault.Timeout, "not ready"},
		{"dies", "END=1", supervise.Ready{TCP: free, Timeout: time.Minute}, fault.Conflict, "exited with 7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := worker(t, tc.env)
			p.Ready, p.Autostart = tc.ready, off()
			h := open(t, t.TempDir(), p)
			h.wait(t, "told down", func(e supervise.Event) bool { return !e.Up })
			i, err := h.Start(t.Context(), "web")
			if fault.KindOf(err) != tc.kind || !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("got %v (%v), want %v with %q", err, fault.KindOf(err), tc.kind, tc.says)
			}
			if i.Up != (tc.kind == fault.OK) {
				t.Errorf("up is %v", i.Up)
			}
		})
	}
}

func TestSupervisor_StartFailureIsAnError(t *testing.T) {
	p := supervise.Process{Name: "web", Argv: []string{"/no/such/program"}, Autostart: off()}
	h := open(t, t.TempDir(), p)
	h.wait(t, "told down", func(e supervise.Event) bool { return !e.Up })
	if _, err := h.Start(t.Context(), "web"); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "/no/such/program") {
		t.Fatalf("got %v", err)
	}
}

// TestSupervisor_SurvivesKillNineAndIsAdopted: vigild is killed; its process is
// not; the next vigild takes it over without a second start and hears its death.
// It holds with the record on disk, without it, and with a torn one.
func TestSupervisor_SurvivesKillNineAndIsAdopted(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"record on disk": func(string) error { return nil },
		"no record":      os.Remove,
		"torn record":    func(f string) error { return os.WriteFile(f, []byte(`{"boot":"x","pi`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := worker(t)
			list, err := json.Marshal([]supervise.Process{p})
			if err != nil {
				t.Fatal(err)
			}
			daemon := exec.Command(p.Argv[0])
			daemon.Env = []string{"ACT_AS=vigild", "HOME_DIR=" + dir, "PROCESSES=" + string(list)}
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			var was struct {
				Pid   int
				Start uint64
			}
			state := filepath.Join(dir, "web.state")
			eventually(t, "the process works", func() bool {
				b, err := os.ReadFile(state)
				out, _ := os.ReadFile(filepath.Join(dir, "web.log"))
				return err == nil && json.Unmarshal(b, &was) == nil && was.Pid > 0 && strings.Contains(string(out), "works")
			})
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
			if err := harm(state); err != nil {
				t.Fatal(err)
			}
			if !launch.Alive(was.Pid, was.Start) {
				t.Fatal("the process died with vigild")
			}
			h := open(t, dir, p)
			if e := h.wait(t, "adopted", up); e.Pid != was.Pid || e.Starts != 0 {
				t.Errorf("adopted as %+v, was pid %d", e, was.Pid)
			}
			_ = syscall.Kill(was.Pid, syscall.SIGKILL)
			if e := h.wait(t, "down", down); e.Pid != was.Pid {
				t.Errorf("death told as %+v", e)
			}
		})
	}
}

// TestBar_PidReused: a record whose pid now belongs to something else adopts
// nothing, touches nothing, and says that the process is down.
func TestBar_PidReused(t *testing.T) {
	other := exec.Command("/bin/sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	now, err := launch.Look(other.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, rec := range map[string]map[string]any{
		"another start": {"boot": clock.System()().BootID, "pid": now.Pid, "start": now.Start - 1},
		"another boot":  {"boot": "of yesterday", "pid": now.Pid, "start": now.Start},
		"init":          {"boot": clock.System()().BootID, "pid": 1, "start": 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b, _ := json.Marshal(rec)
			if err := os.WriteFile(filepath.Join(dir, "web.state"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			p := worker(t)
			p.Autostart = off()
			h := open(t, dir, p)
			h.wait(t, "told down", func(e supervise.Event) bool { return !e.Up && e.Pid == 0 })
			if i, err := h.Stop(t.Context(), "web"); err != nil || i.Changed {
				t.Errorf("stop touched something: %+v, %v", i, err)
			}
			if !launch.Alive(now.Pid, now.Start) {
				t.Error("the other process was hit")
			}
		})
	}
}

func TestSupervisor_LogIsBounded(t *testing.T) {
	dir := t.TempDir()
	p := worker(t)
	p.LogMax, p.Autostart = 1000, off()
	lines := strings.Repeat("0123456789\n", 500) + "the end\n"
	if err := os.WriteFile(filepath.Join(dir, "web.log"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, dir, p)
	h.wait(t, "told down", func(e supervise.Event) bool { return !e.Up })
	if _, err := h.Start(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "web.log"))
	if err != nil || len(b) > 600 || !strings.Contains(string(b), "the end\n") {
		t.Errorf("%d bytes left, %v", len(b), err)
	}
}

// TestSupervisor_LogIsBoundedWhileItRuns: within seconds, for a process that only
// writes fills a disk in minutes.
func TestSupervisor_LogIsBoundedWhileItRuns(t *testing.T) {
	dir := t.TempDir()
	p := worker(t)
	p.Argv = []string{"/bin/sh", "-c", "head -c 300000 /dev/zero; touch written; exec sleep 1000"}
	p.Cwd = dir
	p.LogMax = 1000
	open(t, dir, p)
	file := filepath.Join(dir, "web.log")
	for end := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		_, unwritten := os.Stat(filepath.Join(dir, "written"))
		st, err := os.Stat(file)
		if unwritten == nil && err == nil && st.Size() <= 1000 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("written: %v, then %+v, %v", unwritten == nil, st, err)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	c := supervise.Config{Processes: []supervise.Process{
		{Name: "ok", Argv: []string{"/bin/true"}},
		{Name: "Bad Name", Argv: []string{"true"}},
		{Name: "ok", Argv: []string{"/bin/true"}, StopSignal: "SIGFOO", Log: "x.log", Cwd: "here", Env: map[string]string{"VIGIL_HOME": "x"},
			Ready: supervise.Ready{TCP: "80", File: "x"}, Limits: map[string]uint64{"ram": 1}},
	}}
	err := c.Validate()
	for _, want := range []string{"process[1].name", "process[1].argv", "process.ok: the name is used twice", "process.ok.stop_signal",
		"process.ok.log", "process.ok.cwd", "process.ok.env", "process.ok.ready: only one", "process.ok.ready.tcp", "process.ok.ready.file", "process.ok.limits"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("no word of %s in:\n%v", want, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), "process[0]") {
		t.Errorf("a good process is blamed: %v", err)
	}
}

// BenchmarkDeath is from kill -9 to the callback, and to the next start's end.
func BenchmarkDeath(b *testing.B) {
	p := supervise.Process{Name: "web", Argv: []string{"/bin/sleep", "1000"}, Log: "none"}
	h := open(b, b.TempDir(), p)
	pid := h.wait(b, "up", up).Pid
	var told, back []time.Duration
	for b.Loop() {
		t := time.Now()
		_ = syscall.Kill(pid, syscall.SIGKILL)
		for e := range h.news {
			if !e.Up {
				break
			}
		}
		told = append(told, time.Since(t))
		i, err := h.Start(b.Context(), "web")
		if err != nil {
			b.Fatal(err)
		}
		back = append(back, time.Since(t))
		pid = i.Pid
	}
	for _, x := range []struct {
		name string
		d    []time.Duration
	}{{"told", told}, {"back", back}} {
		slices.Sort(x.d)
		b.ReportMetric(float64(x.d[len(x.d)/2].Nanoseconds())/1e3, "us-p50-"+x.name)
		b.ReportMetric(float64(x.d[len(x.d)*99/100].Nanoseconds())/1e3, "us-p99-"+x.name)
	}
}
