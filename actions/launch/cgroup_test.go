package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// TestRun_TheSpareCgroup: a program finds its cgroup made, another one is made
// after it, one that somebody removed is made anew, and none is left at the end.
func TestRun_TheSpareCgroup(t *testing.T) {
	l, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	where := func() string {
		o, err := l.Run(t.Context(), Program{Argv: []string{"/bin/cat", "/proc/self/cgroup"}})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(o.Output) {
			if at, ok := strings.CutPrefix(line, "0::"); ok {
				return at[strings.LastIndex(at, "/")+1:]
			}
		}
		return ""
	}
	first := where()
	if l.grove == nil {
		return // no cgroup v2 that we may write: there is nothing to keep ready
	}
	spare := l.grove.spare.Load()
	if spare == nil {
		t.Fatal("no cgroup is ready for the next program")
	}
	if got := where(); got != "2\n" || first != "1\n" {
		t.Errorf("the programs ran in %q and %q, want 1 and the spare 2", first, got)
	}
	if err := unix.Rmdir(l.grove.spare.Load().dir); err != nil {
		t.Fatal(err)
	}
	if got := where(); got != "4\n" {
		t.Errorf("with the spare one removed the program ran in %q, want 4", got)
	}
	l.Close()
	if _, err := os.Stat(l.grove.dir); err == nil {
		t.Errorf("%s is left", l.grove.dir)
	}
}

// TestSweep_ANameIsNoPattern: systemd writes what is special in the name of a unit as
// \x2d, and what a dead vigild left in the cgroup of such a unit is found all the same.
func TestSweep_ANameIsNoPattern(t *testing.T) {
	for _, name := range []string{`vigild\x2dtest.service`, "a[b]", "plain"} {
		l, err := New(Config{CgroupRoot: "off"}, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		me, err := Look(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		parent := filepath.Join(t.TempDir(), name)
		dead, alive := filepath.Join(parent, "vigil-999999999-7"), filepath.Join(parent, fmt.Sprintf("vigil-%d-%d", me.Pid, me.Start))
		for _, dir := range []string{dead + "/1", alive + "/1", parent + "/vigil-left", parent + "/others-999999999-7"} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		l.once.Do(func() {})
		l.grove = &grove{parent: parent, dir: alive}
		l.Sweep()
		left, err := os.ReadDir(parent)
		if err != nil || len(left) != 3 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
		if _, err := os.Stat(dead); err == nil {
			t.Errorf("%s: the folder of a dead vigild is left", name)
		}
	}
}

// TestRun_AFrozenCgroup: a program that began in a frozen cgroup would never come to
// its first instruction, and vigild stands still until it does. A spare that is
// frozen is left; where the whole folder is, the program is not started.
func TestRun_AFrozenCgroup(t *testing.T) {
	l, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	begin := func() error {
		_, err := l.Run(t.Context(), Program{Argv: []string{"/bin/true"}})
		return err
	}
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	if l.grove == nil {
		return // no cgroup v2 that we may write
	}
	defer l.Close()
	freeze := func(dir, how string) {
		t.Helper()
		if err := os.WriteFile(dir+"/cgroup.freeze", []byte(how), 0); err != nil {
			t.Fatal(err)
		}
	}
	spare := l.grove.spare.Load().dir
	freeze(spare, "1")
	if p, err := l.grove.plot(); err != nil || p.dir == spare {
		t.Fatalf("%v, %v: the frozen spare was taken", p, err)
	} else {
		p.close()
	}
	if _, err := os.Stat(spare); err == nil {
		t.Error("the frozen spare is left")
	}
	freeze(l.grove.dir, "1")
	if err := begin(); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "cgroup.freeze") {
		t.Errorf("in a frozen folder: %v", err)
	}
	freeze(l.grove.dir, "0")
	if err := begin(); err != nil {
		t.Error("thawed:", err)
	}
}
