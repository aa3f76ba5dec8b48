package launch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// TestMain lets the test binary stand in for programs of every bad manner.
func TestMain(m *testing.M) {
	if as := os.Getenv("ACT_AS"); as != "" {
		act(as)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func act(as string) {
	switch as {
	case "flood":
		b := []byte(strings.Repeat("0123456789abcde\n", 4096))
		for {
			if _, err := os.Stdout.Write(b); err != nil {
				os.Exit(1)
			}
		}
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		if os.WriteFile(os.Getenv("DEAF"), nil, 0o600) != nil {
			os.Exit(1)
		}
		select {}
	case "mute":
		os.Stdin.Close()
		os.Stdout.Close()
		os.Stderr.Close()
		select {}
	case "bomb": // each forks, detaches, forgets its parent; the leaves block
		depth, _ := strconv.Atoi(os.Getenv("DEPTH"))
		if depth > 0 {
			for range 3 {
				c := exec.Command("/proc/self/exe")
				c.Env = append(os.Environ(), "DEPTH="+strconv.Itoa(depth-1))
				c.Stdout = os.Stdout
				c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				if c.Start() != nil {
					os.Exit(1)
				}
			}
			if os.Getenv("LEAVE") != "" {
				os.Exit(0)
			}
		} else {
			fmt.Println("leaf", os.Getpid())
		}
		select {}
	case "stay": // leaves one child behind and ends well
		c := exec.Command("/proc/self/exe")
		c.Env = append(os.Environ(), "ACT_AS=mute")
		if c.Start() != nil {
			os.Exit(1)
		}
		fmt.Println(c.Process.Pid)
	case "vigild": // runs one program that stays and one that leaves something behind
		l, err := launch.New(launch.Config{}, launch.Deps{})
		if err != nil {
			os.Exit(1)
		}
		exe, _ := os.Executable()
		o, err := l.Run(context.Background(), launch.Program{Argv: []string{exe}, Env: []string{"ACT_AS=stay"}})
		if err != nil {
			os.Exit(1)
		}
		fmt.Print("left ", o.Output)
		_, _ = l.Run(context.Background(), launch.Program{Argv: []string{exe}, Env: []string{"ACT_AS=mute", "OPEN=" + os.Getenv("OPEN")}, Timeout: time.Hour})
	case "limits":
		var l syscall.Rlimit
		for end := time.Now().Add(time.Minute); time.Now().Before(end); { // they are set once it runs
			_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
			if l.Cur == 77 {
				break
			}
		}
		fmt.Println(l.Cur)
	case "fds":
		d, _ := os.ReadDir("/proc/self/fd")
		for _, e := range d {
			to, _ := os.Readlink("/proc/self/fd/" + e.Name())
			fmt.Println(e.Name(), to)
		}
	}
}

func launcher(t testing.TB, root string) *launch.Launcher {
	t.Helper()
	l, err := launch.New(launch.Config{CgroupRoot: root}, launch.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// self is the test binary acting as something.
func self(t testing.TB, as string, env ...string) launch.Program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return launch.Program{Argv: []string{exe}, Env: append([]string{"ACT_AS=" + as}, env...), Timeout: time.Minute}
}

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

func gone(pid int) bool {
	p, err := launch.Look(pid)
	return err != nil || p.State == 'Z'
}

func TestRun_Outcome(t *testing.T) {
	l := launcher(t, "")
	for _, tc := range []struct {
		name string
		p    launch.Program
		want launch.Outcome
	}{
		{"well", launch.Program{Argv: []string{"/bin/echo", "a b", "$HOME;*"}}, launch.Outcome{Output: "a b $HOME;*\n"}},
		{"exit code", launch.Program{Argv: []string{"/bin/false"}}, launch.Outcome{Exit: 1}},
		{"stdin", launch.Program{Argv: []string{"/bin/cat"}, Stdin: []byte("{}\n")}, launch.Outcome{Output: "{}\n"}},
		{"no stdin", launch.Program{Argv: []string{"/bin/cat"}}, launch.Outcome{}},
		{"unread stdin", launch.Program{Argv: []string{"/bin/true"}, Stdin: make([]byte, 1<<20)}, launch.Outcome{}},
		{"folder", launch.Program{Argv: []string{"/bin/pwd"}}, launch.Outcome{Output: "/\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := l.Run(t.Context(), tc.p)
			got.Took = 0
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func TestRun_EnvironmentIsExactlyWhatIsGiven(t *testing.T) {
	t.Setenv("CANARY", "secret")
	o, err := launcher(t, "").Run(t.Context(), launch.Program{Argv: []string{"/usr/bin/env"}, Env: []string{"A=1"}})
	if err != nil || strings.Contains(o.Output, "CANARY") || !strings.HasPrefix(o.Output, "A=1\nVIGIL_LAUNCH=") || strings.Count(o.Output, "\n") != 2 {
		t.Fatalf("environment %q, %v", o.Output, err)
	}
}

func TestRun_InheritsNoDescriptor(t *testing.T) {
	fd, err := syscall.Dup(0) // what a careless parent leaves open over exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	o, err := launcher(t, "").Run(t.Context(), self(t, "fds"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(o.Output) {
		n, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		// What Go's own runtime opens in the child: its poller, /proc/self/fd, cgroup limits.
		own := to == "" || strings.HasPrefix(to, "anon_inode:[event") || strings.HasPrefix(to, "/proc/") || strings.HasPrefix(to, "/sys/fs/cgroup")
		if n, _ := strconv.Atoi(n); n > 2 && !own {
			t.Errorf("descriptor %s passed over", line)
		}
	}
}

// TestBar_StartFailureIsTold: what could not be started is an error that names
// the program and the reason, never a silent success.
func TestBar_StartFailureIsTold(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	l := launcher(t, "")
	for _, tc := range []struct {
		name string
		p    launch.Program
		kind fault.Kind
		says string
	}{
		{"nothing", launch.Program{}, fault.Unprocessable, "argv"},
		{"relative", launch.Program{Argv: []string{"true"}}, fault.Unprocessable, "absolute"},
		{"missing", launch.Program{Argv: []string{dir + "/none"}}, fault.NotFound, dir + "/none"},
		{"not executable", launch.Program{Argv: []string{write("plain", "x", 0o644)}}, fault.Unprocessable, "chmod +x"},
		{"a folder", launch.Program{Argv: []string{"/usr"}}, fault.Unprocessable, "a folder, and no program"},
		{"no interpreter", launch.Program{Argv: []string{write("script", "#!/no/such\n", 0o755)}}, fault.NotFound, "interpreter"},
		{"no format", launch.Program{Argv: []string{write("odd", "\x00\x01", 0o755)}}, fault.Unprocessable, "script without"},
		{"no folder", launch.Program{Argv: []string{"/bin/true"}, Dir: dir + "/none"}, fault.NotFound, "folder"},
		{"no user", launch.Program{Argv: []string{"/bin/true"}, User: "nobody-such"}, fault.Unprocessable, "nobody-such"},
		{"no group", launch.Program{Argv: []string{"/bin/true"}, Group: "no-such"}, fault.Unprocessable, "no-such"},
		{"no limit", launch.Program{Argv: []string{"/bin/true"}, Limits: map[string]uint64{"cpus": 1}}, fault.Unprocessable, "nofile"},
		{"zero byte", launch.Program{Argv: []string{"/bin/true", "a\x00b"}}, fault.Unprocessable, "argv[1]"},
		{"wrong digest", launch.Program{Argv: []string{"/bin/true"}, SHA256: strings.Repeat("0", 64)}, fault.Forbidden, "sha256"},
		{"others may write it", launch.Program{Argv: []string{write("open", "#!/bin/true\n", 0o777)}}, fault.Forbidden, "others could change it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := l.Run(t.Context(), tc.p)
			if fault.KindOf(err) != tc.kind || !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("got %v (%v), want %v with %q", err, fault.KindOf(err), tc.kind, tc.says)
			}
		})
	}
}

func TestRun_NotStartedWhenCancelledBefore(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := launcher(t, "").Run(ctx, launch.Program{Argv: []string{"/bin/true"}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// TestRun_TimeoutKillsTheWholeTree: a tree that forks, changes its session and
// loses its parents is gone within the timeout, the grace and a little, in a
// cgroup and without one.
func TestRun_TimeoutKillsTheWholeTree(t *testing.T) {
	for _, root := range []string{"", "off"} {
		for _, leave := range []string{"", "1"} {
			t.Run("root="+root+" leave="+leave, func(t *testing.T) {
				p := self(t, "bomb", "DEPTH=3", "LEAVE="+leave)
				p.Timeout, p.KillAfter = 1500*time.Millisecond, 100*time.Millisecond
				if leave != "" {
					p.KillRest = true // the root ends at once; a plugin's rest goes with it
				}
				o, err := launcher(t, root).Run(t.Context(), p)
				for err == nil && leave == "" && strings.Count(o.Output, "leaf") != 27 && p.Timeout < time.Minute { // it had not grown
					p.Timeout *= 4
					o, err = launcher(t, root).Run(t.Context(), p)
				}
				if err != nil {
					t.Fatal(err)
				}
				if o.Took > p.Timeout+time.Minute {
					t.Errorf("took %v", o.Took)
				}
				if leave == "" && (!o.TimedOut || strings.Count(o.Output, "leaf") != 27) {
					t.Errorf("outcome %+v", o)
				}
				for line := range strings.Lines(o.Output) {
					if s, ok := strings.CutPrefix(strings.TrimSpace(line), "leaf "); ok {
						pid, _ := strconv.Atoi(s)
						eventually(t, "leaf "+s+" is gone", func() bool { return gone(pid) })
					}
				}
			})
		}
	}
}

func TestRun_CancelKillsOneThatIgnoresSIGTERM(t *testing.T) {
	deaf := filepath.Join(t.TempDir(), "deaf")
	p := self(t, "deaf", "DEAF="+deaf)
	p.KillAfter = 50 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer stop()
		eventually(t, "it ignores SIGTERM", func() bool { _, err := os.Stat(deaf); return err == nil })
	}()
	o, err := launcher(t, "").Run(ctx, p)
	<-over
	if err != nil || !o.Cancelled || o.TimedOut || o.Signal != "SIGKILL" || o.Exit != -1 {
		t.Fatalf("got %+v, %v", o, err)
	}
}

func TestRun_OutputIsBounded(t *testing.T) {
	p := self(t, "flood")
	p.Timeout, p.KillAfter, p.Output = 500*time.Millisecond, time.Millisecond, 4096
	o, err := launcher(t, "").Run(t.Context(), p)
	for err == nil && len(o.Output) < 3000 && p.Timeout < time.Minute { // it had not come to write
		p.Timeout *= 4
		o, err = launcher(t, "").Run(t.Context(), p)
	}
	if err != nil || !o.TimedOut || len(o.Output) > 4096 || len(o.Output) < 3000 || !strings.Contains(o.Output, "shortened") {
		t.Fatalf("%d bytes of output, timed out %v, %v", len(o.Output), o.TimedOut, err)
	}
}

func TestRun_ClosedStreamsDoNotEndTheWait(t *testing.T) {
	p := self(t, "mute")
	p.Timeout, p.KillAfter = 200*time.Millisecond, 100*time.Millisecond
	o, err := launcher(t, "").Run(t.Context(), p)
	if err != nil || !o.TimedOut {
		t.Fatalf("got %+v, %v", o, err)
	}
}

// TestRun_LeavesADaemonRunning: a program that starts a daemon and ends well is
// not waited for by its daemon's pipe, and the daemon lives on.
func TestRun_LeavesADaemonRunning(t *testing.T) {
	for _, kill := range []bool{false, true} {
		p := self(t, "stay")
		p.KillRest = kill
		o, err := launcher(t, "").Run(t.Context(), p)
		if err != nil || o.Exit != 0 {
			t.Fatalf("got %+v, %v", o, err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(o.Output))
		if err != nil {
			t.Fatal(err)
		}
		if kill {
			eventually(t, "the rest is gone", func() bool { return gone(pid) })
			continue
		}
		if gone(pid) {
			t.Error("the daemon was killed")
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// TestSweep_EndsWhatADeadVigildLeftOpen: an attempt whose vigild was killed has
// nobody to keep its bound, so the next one ends it; what an earlier program left
// running on purpose stays.
func TestSweep_EndsWhatADeadVigildLeftOpen(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprint("OPEN=", os.Getpid(), time.Now().UnixNano())
	daemon := exec.Command(exe)
	daemon.Env = []string{"ACT_AS=vigild", mark}
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	var left, open int
	if _, err := fmt.Fscanf(out, "left %d", &left); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the attempt runs", func() bool {
		_ = launch.Walk(func(p launch.Process) bool {
			if p.Parent == daemon.Process.Pid && launch.Marked(p.Pid, mark) && launch.Marked(p.Pid, "ACT_AS=mute") {
				open = p.Pid
			}
			return open == 0
		})
		return open != 0
	})
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
	l := launcher(t, "")
	if _, err := l.Run(t.Context(), launch.Program{Argv: []string{"/bin/true"}}); err != nil {
		t.Fatal(err)
	}
	n := l.Sweep()
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", left)); err == nil && !strings.Contains(string(b), "vigil-left") {
		// No cgroup v2 that we may write here: nothing can be told apart, nothing is ended.
		if n != 0 || gone(open) {
			t.Errorf("without cgroups %d were ended", n)
		}
	} else {
		eventually(t, "the open attempt is ended", func() bool { return gone(open) })
		// n says nothing here: it may be 0 when another vigild on this host was
		// quicker, and count the orphans of others too.
	}
	if gone(left) {
		t.Error("what was left running on purpose was ended")
	}
	_ = syscall.Kill(left, syscall.SIGKILL)
	_ = syscall.Kill(open, syscall.SIGKILL)
}

func TestRun_Limits(t *testing.T) {
	p := self(t, "limits")
	p.Limits = map[string]uint64{"nofile": 77}
	o, err := launcher(t, "").Run(t.Context(), p)
	if err != nil || strings.TrimSpace(o.Output) != "77" {
		t.Fatalf("got %+v, %v", o, err)
	}
}

// TestBar_UidWithoutGroups: a program that runs as somebody else has that
// user's uid and gid and not one group of vigild's.
func TestBar_UidWithoutGroups(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := syscall.Setgroups(nil); err == nil {
			t.Fatal("an unprivileged process may set groups?")
		}
		_, err := launcher(t, "").Run(t.Context(), launch.Program{Argv: []string{"/bin/true"}, User: "root"})
		if fault.KindOf(err) != fault.Forbidden {
			t.Fatalf("another user without privilege: %v", err)
		}
		return
	}
	old, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{0, 4, 27}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setgroups(old) }()
	for _, tc := range []struct{ user, group, want string }{
		{"nobody", "", "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\nGroups:"},
		{"nobody", "daemon", "Uid:\t65534\t65534\t65534\t65534\nGid:\t1\t1\t1\t1\nGroups:"},
		{"65534", "1", "Uid:\t65534\t65534\t65534\t65534\nGid:\t1\t1\t1\t1\nGroups:"},
		{"", "", "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:"},
	} {
		o, err := launcher(t, "").Run(t.Context(), launch.Program{
			Argv: []string{"/bin/grep", "-E", "^(Uid|Gid|Groups):", "/proc/self/status"}, User: tc.user, Group: tc.group})
		var got []string
		for line := range strings.Lines(o.Output) {
			got = append(got, strings.TrimRight(line, " \t\n"))
		}
		if err != nil || strings.Join(got, "\n") != tc.want {
			t.Errorf("%s:%s: got %q, %v", tc.user, tc.group, got, err)
		}
	}
}

func TestRun_PinnedProgramStarts(t *testing.T) {
	sum, err := exec.Command("/usr/bin/sha256sum", "/bin/echo").Output()
	if err != nil {
		t.Fatal(err)
	}
	o, err := launcher(t, "").Run(t.Context(), launch.Program{Argv: []string{"/bin/echo", "hi"}, SHA256: string(sum[:64])})
	if err != nil || o.Output != "hi\n" {
		t.Fatalf("got %+v, %v", o, err)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\n\ttext": "plain\n\ttext",
		"\x1b[31mred":   `\x1b[31mred`,
		"a\x00b\x7f":    `a\x00b\x7f`,
		"\xff\xfe":      `\xff\xfe`,
		"ok\r\n":        "ok\n",
		"bell\r":        `bell\x0d`,
		"\u202eevil":    `\u{202e}evil`,
		"\u009b1m":      `\u{9b}1m`,
		"größe €":       "größe €",
	} {
		if got := launch.Clean([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add([]byte("a\x1b[0m\xff\u202e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := launch.Clean(b)
		if !utf8.ValidString(s) {
			t.Fatalf("%q is not UTF-8", s)
		}
		for _, r := range s {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Fatalf("%q holds %U", s, r)
			}
		}
		if again := launch.Clean([]byte(s)); again != s {
			t.Fatalf("cleaning twice differs: %q, %q", s, again)
		}
	})
}
