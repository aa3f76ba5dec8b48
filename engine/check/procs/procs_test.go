package procs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// table is a /proc with three processes.
func table(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	stat := func(pid int, name string, state byte, parent, start int) string {
		return fmt.Sprintf("%d (%s) %c %d 1 1 0 -1 0 0 0 0 0 150 50 7 3 20 0 4 0 %d 1000 5 0\n", pid, name, state, parent, start)
	}
	for path, text := range map[string]string{
		"uptime":     "1000.50 1.0\n",
		"10/stat":    stat(10, "nginx", 'S', 1, 50_000),
		"10/cmdline": "nginx: master\x00-g\x00daemon off;\x00",
		"10/cgroup":  "0::/system.slice/nginx.service\n",
		"10/status":  "Name:\tnginx\nUid:\t0\t0\t0\t0\n",
		"11/stat":    stat(11, "we) S (ird", 'R', 10, 99_000),
		"11/cmdline": "worker\x00",
		"11/cgroup":  "0::/system.slice/nginx.service/worker\n",
		"11/status":  "Name:\tx\nUid:\t0\t33\t33\t33\n",
		"12/stat":    stat(12, "nginx", 'Z', 10, 90_000),
		"12/cmdline": "",
		"13/stat":    "13 (broken",
		"self/stat":  "not a number",
	} {
		p := filepath.Join(dir, path)
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/usr/sbin/nginx (deleted)", filepath.Join(dir, "10/exe")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	proc := table(t)
	pidfile := filepath.Join(proc, "pid")
	os.WriteFile(pidfile, []byte(" 11\n"), 0o644)
	for _, c := range []struct {
		name string
		m    Match
		want string
	}{
		{"name", Match{Name: "nginx"}, "[10 12]"},
		{"name with brackets", Match{Name: "we) S (ird"}, "[11]"},
		{"cmdline", Match{Cmdline: `^nginx: master -g daemon off;$`}, "[10]"},
		{"exe replaced by an update", Match{Exe: "/usr/sbin/nginx"}, "[10]"},
		{"unit", Match{Unit: "nginx.service"}, "[10 11]"},
		{"part of a unit's name", Match{Unit: "nginx"}, "[]"},
		{"parent", Match{Parent: 10}, "[11 12]"},
		{"effective user", Match{Unit: "nginx.service", User: "33"}, "[11]"},
		{"pid file", Match{Pidfile: pidfile}, "[11]"},
		{"pid file of another", Match{Pidfile: pidfile, Name: "nginx"}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.m.Compile(); err != nil {
				t.Fatal(err)
			}
			ps, err := Find(proc, &c.m)
			if err != nil {
				t.Fatal(err)
			}
			got := []int{}
			for _, p := range ps {
				got = append(got, p.PID)
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("found %v, want %s", got, c.want)
			}
		})
	}
}

func TestStatFields(t *testing.T) {
	p, ok := readStat(table(t), 11)
	want := Proc{PID: 11, Parent: 10, Name: "we) S (ird", State: 'R', Threads: 4, CPU: 2 * time.Second,
		CPUChildren: 100 * time.Millisecond, Started: 990 * time.Second, RSS: 5 * int64(os.Getpagesize())}
	if !ok || p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

// FuzzStat: whatever a stat file holds, it is read or refused.
func FuzzStat(f *testing.F) {
	f.Add([]byte("11 (we) S (ird) R 10 1 1 0 -1 0 0 0 0 0 150 50 7 3 20 0 4 0 99000 18446744073709551615 5 0\n"))
	f.Add([]byte("1 () "))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := parseStat(1, b); ok && len(p.Name) > len(b) {
			t.Fatal(p)
		}
	})
}

// TestAgeIsOfTheNewest: start_grace counts from the process's own start.
func TestAgeIsOfTheNewest(t *testing.T) {
	m := Match{Unit: "nginx.service"}
	if err := m.Compile(); err != nil {
		t.Fatal(err)
	}
	age, found, err := Age(table(t), &m)
	if err != nil || !found || age != 10500*time.Millisecond {
		t.Errorf("age is %v, %v, %v; want 10.5s", age, found, err)
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		m    Match
		part string
	}{
		{Match{}, "nothing says which"},
		{Match{User: "0"}, "nothing says which"},
		{Match{Exe: "nginx"}, "absolute"},
		{Match{Pidfile: "run/x"}, "absolute"},
		{Match{Cmdline: "("}, "cmdline"},
		{Match{Cmdline: strings.Repeat("a", 5000)}, "longer"},
		{Match{Name: "x", User: "no-such-user-here"}, "there is no"},
		{Match{Parent: -1}, "no pid"},
	} {
		if err := c.m.Compile(); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%+v: %v, want %q", c.m, err, c.part)
		}
	}
}

// BenchmarkFind is one look through this host's processes.
func BenchmarkFind(b *testing.B) {
	m := Match{Name: "no-such-process"}
	if err := m.Compile(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Find("/proc", &m); err != nil {
			b.Fatal(err)
		}
	}
}
