package place_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"vigil/actions/place"
	"vigil/engine/fault"
)

func TestMain(m *testing.M) {
	if f := os.Getenv("PLACE_TEST_WRITES"); f != "" {
		forever(f)
	}
	syscall.Umask(0o022) // what others may write is refused, and the folders of a test are no exception
	goleak.VerifyTestMain(m)
}

// forever writes one file after the other until it is killed.
func forever(path string) {
	fmt.Println("ready")
	for i := 0; ; i++ {
		if err := write(path, strings.Repeat(fmt.Sprintf("%07d\n", i), 20_000), leave); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// TestWrite_AKillLeavesOneWholeFile: whenever the writer is killed, what stands
// there is one whole file, and the next write or a sweep takes the left-over away.
func TestWrite_AKillLeavesOneWholeFile(t *testing.T) {
	dir := memory(t)
	f := filepath.Join(dir, "f")
	must(t, write(f, "first", leave))
	left := 0
	for i := range 30 {
		c := exec.Command(os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), "PLACE_TEST_WRITES="+f)
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("%q, %v", line, err)
		}
		kill := time.NewTimer(time.Duration(i*137%5000) * time.Microsecond)
		<-kill.C
		must(t, c.Process.Kill())
		_ = c.Wait()
		b, err := os.ReadFile(f)
		must(t, err)
		if string(b) != "first" && (len(b) != 160_000 || !bytes.Equal(b, bytes.Repeat(b[:8], 20_000))) {
			t.Fatalf("after kill %d there are %d bytes that are no whole file", i, len(b))
		}
		left += len(names(t, dir)) - 1
		if i%2 == 0 {
			continue // the next write finds what is left
		}
		p, err := place.Open(f, place.Way{Owner: -1})
		must(t, err)
		must(t, p.Sweep())
		must(t, p.Sweep())
		p.Close()
		if got := names(t, dir); len(got) != 1 {
			t.Fatalf("left over after a sweep: %v", got)
		}
	}
	if left == 0 {
		t.Error("no kill came while a file was written: the test tries nothing")
	}
	must(t, write(f, "last", leave))
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left over: %v", got)
	}
}

var leave = place.Attributes{Mode: -1, UID: -1, GID: -1}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(path string, content string, a place.Attributes) error {
	p, err := place.Open(path, place.Way{Owner: -1})
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Write([]byte(content), a, nil)
}

func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	es, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range es {
		out = append(out, e.Name())
	}
	return out
}

// TestWrite_IsWholeAndKeepsWhatIsNotSaid.
func TestWrite_IsWholeAndKeepsWhatIsNotSaid(t *testing.T) {
	dir := t.TempDir()
	f := filepath.Join(dir, "f")
	must(t, write(f, "one", leave))
	st, err := os.Stat(f)
	must(t, err)
	if st.Mode().Perm() != 0o644 {
		t.Errorf("a new file has %v", st.Mode())
	}
	must(t, os.Chmod(f, 0o4710))
	if os.Geteuid() == 0 {
		must(t, os.Chown(f, 7, 8))
		must(t, os.Chmod(f, 0o4710|os.ModeSetuid))
	}
	must(t, write(f, "two", leave))
	st, err = os.Stat(f)
	must(t, err)
	if st.Mode().Perm() != 0o710 || os.Geteuid() == 0 && (st.Sys().(*syscall.Stat_t).Uid != 7 || st.Sys().(*syscall.Stat_t).Gid != 8 || st.Mode()&os.ModeSetuid == 0) {
		t.Errorf("what was not said changed: %v %+v", st.Mode(), st.Sys())
	}
	if os.Geteuid() == 0 { // a program of one user is not made one of another
		must(t, write(f, "two", place.Attributes{Mode: -1, UID: 9, GID: -1}))
		st, err = os.Stat(f)
		must(t, err)
		if st.Mode()&os.ModeSetuid != 0 || st.Mode().Perm() != 0o710 || st.Sys().(*syscall.Stat_t).Uid != 9 {
			t.Errorf("after a change of the owner: %v %+v", st.Mode(), st.Sys())
		}
	}
	must(t, write(f, "three", place.Attributes{Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid()}))
	if b, _ := os.ReadFile(f); string(b) != "three" {
		t.Errorf("it holds %q", b)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left over: %v", got)
	}
	// A refusal of the new file, and the left-over of a crash.
	p, err := place.Open(f, place.Way{Owner: -1})
	must(t, err)
	defer p.Close()
	var tmp string
	no := errors.New("no")
	if err := p.Write([]byte("four"), leave, func(path string) error {
		tmp = path
		b, err := os.ReadFile(path)
		if err != nil || string(b) != "four" {
			t.Errorf("the check sees %q, %v", b, err)
		}
		return no
	}); !errors.Is(err, no) {
		t.Errorf("the check's no gives %v", err)
	}
	if b, _ := os.ReadFile(f); string(b) != "three" || len(names(t, dir)) != 1 {
		t.Errorf("after the refusal: %q and %v", b, names(t, dir))
	}
	must(t, os.WriteFile(tmp, []byte("torn"), 0o666))
	must(t, write(f, "five", leave))
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the left-over of a crash stays: %v", got)
	}
}

// TestOpen_RefusesAWayThatOthersCouldChange.
func TestOpen_RefusesAWayThatOthersCouldChange(t *testing.T) {
	dir := t.TempDir()
	mk := func(name string, mode os.FileMode) string {
		d := filepath.Join(dir, name)
		must(t, os.Mkdir(d, 0o755))
		must(t, os.Chmod(d, mode))
		return d
	}
	open, sticky, group, inner := mk("open", 0o777), mk("sticky", 0o777|os.ModeSticky), mk("group", 0o775), mk("inner", 0o755)
	must(t, os.Symlink(inner, filepath.Join(dir, "link")))
	must(t, os.Mkdir(filepath.Join(sticky, "below"), 0o755))
	must(t, os.Mkdir(filepath.Join(open, "below"), 0o755))
	theirs := mk("theirs", 0o755)
	if os.Geteuid() == 0 {
		must(t, os.Chown(group, 0, 5))
		must(t, os.Chown(theirs, 1234, 0))
	}
	for _, tt := range []struct {
		path string
		way  place.Way
		kind fault.Kind
		root bool // needs chown to be set up
	}{
		{filepath.Join(inner, "f"), place.Way{Owner: -1}, fault.OK, false},
		{filepath.Join(open, "f"), place.Way{Owner: -1}, fault.Forbidden, false},
		{filepath.Join(open, "below", "f"), place.Way{Owner: -1}, fault.Forbidden, false},
		{filepath.Join(sticky, "f"), place.Way{Owner: -1}, fault.Forbidden, false},
		{filepath.Join(sticky, "below", "f"), place.Way{Owner: -1}, fault.OK, false},
		{filepath.Join(group, "f"), place.Way{Owner: -1}, fault.Forbidden, true},
		{filepath.Join(theirs, "f"), place.Way{Owner: -1}, fault.Forbidden, true},
		{filepath.Join(theirs, "f"), place.Way{Owner: 1234}, fault.OK, true},
		{filepath.Join(dir, "link", "f"), place.Way{Owner: -1}, fault.Forbidden, false},
		{filepath.Join(dir, "none", "f"), place.Way{Owner: -1}, fault.NotFound, false},
		{dir + "/../x", place.Way{Owner: -1}, fault.Unprocessable, false},
		{"f", place.Way{Owner: -1}, fault.Unprocessable, false},
		{dir + "//f", place.Way{Owner: -1}, fault.Unprocessable, false},
		{filepath.Join(dir, "new", "deep", "f"), place.Way{Owner: -1, Parents: true}, fault.OK, false},
	} {
		if tt.root && os.Geteuid() != 0 {
			continue
		}
		p, err := place.Open(tt.path, tt.way)
		if fault.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %v", tt.path, err, tt.kind)
		}
		if err == nil {
			p.Close()
		}
	}
}

// TestOpen_RefusesWhatAnAccessListOpens: the mode of such a folder says nothing of whom
// the list lets in, and root's group, which may write there, is not all of them.
func TestOpen_RefusesWhatAnAccessListOpens(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o775))
	opens := func() error {
		p, err := place.Open(filepath.Join(dir, "f"), place.Way{Owner: -1})
		if err == nil {
			p.Close()
		}
		return err
	}
	if err := opens(); (err == nil) != (os.Getegid() == 0) {
		t.Fatalf("without a list: %v", err)
	}
	entry := func(tag, may uint16, who uint32) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, tag), may), who)
	}
	const nobody = ^uint32(0)
	list := slices.Concat([]byte{2, 0, 0, 0}, entry(1, 7, nobody), entry(2, 7, 1234), entry(4, 5, nobody), entry(16, 7, nobody), entry(32, 5, nobody))
	if err := unix.Setxattr(dir, "system.posix_acl_access", list, 0); errors.Is(err, unix.EOPNOTSUPP) {
		return // a file system without lists opens nothing by one
	} else if err != nil {
		t.Fatal(err)
	}
	if err := opens(); fault.KindOf(err) != fault.Forbidden || !strings.Contains(err.Error(), "others can write in") {
		t.Errorf("with a list that lets uid 1234 write: %v", err)
	}
}

// TestPlace_NothingIsDoneThroughALink: neither written, dressed, nor read.
func TestPlace_NothingIsDoneThroughALink(t *testing.T) {
	dir := t.TempDir()
	victim, f := filepath.Join(dir, "victim"), filepath.Join(dir, "f")
	must(t, os.WriteFile(victim, []byte("precious"), 0o640))
	must(t, os.Symlink(victim, f))
	p, err := place.Open(f, place.Way{Owner: -1})
	must(t, err)
	defer p.Close()
	if err := p.Dress(place.Attributes{Mode: 0o777, UID: -1, GID: -1}, false); fault.KindOf(err) != fault.Conflict {
		t.Errorf("dressed: %v", err)
	}
	if b, _, _, err := p.Read(100); fault.KindOf(err) != fault.Conflict || b != nil {
		t.Errorf("read: %q, %v", b, err)
	}
	must(t, p.Write([]byte("mine"), leave, nil))
	if b, _ := os.ReadFile(victim); string(b) != "precious" {
		t.Errorf("the victim holds %q", b)
	}
	if st, _ := os.Lstat(f); !st.Mode().IsRegular() {
		t.Error("the link is still there")
	}
	must(t, os.Remove(f))
	must(t, os.Mkdir(f, 0o755))
	if err := p.Write([]byte("mine"), leave, nil); fault.KindOf(err) != fault.Conflict {
		t.Errorf("in the place of a folder: %v", err)
	}
	must(t, os.Remove(f))
	must(t, unix.Mkfifo(f, 0o600))
	if _, _, _, err := p.Read(100); fault.KindOf(err) != fault.Conflict { // and it does not hang
		t.Errorf("a pipe: %v", err)
	}
}

// memory is a folder in memory where there is one: a race needs no disk.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vigil-place-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// TestPlace_ASwapRaceNeverWritesThrough: somebody exchanges the file, and the
// folder above it, for links as fast as he can while it is written, dressed and
// removed. Nothing outside is ever touched. In short mode the swaps are fewer.
func TestPlace_ASwapRaceNeverWritesThrough(t *testing.T) {
	swaps := 100_000
	if testing.Short() {
		swaps = 10_000
	}
	dir := memory(t)
	outside, home := filepath.Join(dir, "outside"), filepath.Join(dir, "home")
	must(t, os.Mkdir(outside, 0o755))
	must(t, os.MkdirAll(filepath.Join(home, "d"), 0o755))
	victim, f := filepath.Join(outside, "f"), filepath.Join(home, "d", "f")
	must(t, os.WriteFile(victim, []byte("precious"), 0o640))
	must(t, os.WriteFile(f, []byte("x"), 0o644))
	before, err := os.Stat(victim)
	must(t, err)

	var stop atomic.Bool
	done := make(chan int)
	go func() {
		n, link, fresh := 0, f+".l", f+".r"
		for d, aside := filepath.Join(home, "d"), filepath.Join(home, "aside"); n < swaps; n++ {
			switch n % 4 {
			case 0: // the file for a link to the victim
				_ = unix.Symlink(victim, link)
				_ = unix.Rename(link, f)
			case 1:
				if fd, err := unix.Open(fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o644); err == nil {
					unix.Close(fd)
				}
				_ = unix.Rename(fresh, f)
			case 2: // the folder for a link to the one with the victim
				_ = unix.Rename(d, aside)
				_ = unix.Symlink(outside, d)
			case 3:
				_ = unix.Unlink(d)
				_ = unix.Rename(aside, d)
			}
		}
		stop.Store(true)
		done <- n
	}()
	wrote, tries := 0, 0
	for ; !stop.Load(); tries++ {
		p, err := place.Open(f, place.Way{Owner: -1})
		if err != nil {
			continue
		}
		switch tries % 3 {
		case 0, 1:
			if err := p.Write([]byte(fmt.Sprint("vigil ", tries)), place.Attributes{Mode: 0o600, UID: -1, GID: -1}, nil); err == nil {
				wrote++
			}
		case 2:
			_ = p.Dress(place.Attributes{Mode: 0o777, UID: -1, GID: -1}, false)
			if tries%9 == 2 {
				_ = p.Remove(false)
			}
		}
		p.Close()
	}
	n := <-done
	if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
		t.Fatalf("the victim holds %q, %v", b, err)
	}
	after, err := os.Stat(victim)
	must(t, err)
	if after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the victim was dressed: %v", after.Mode())
	}
	for _, name := range names(t, outside) {
		if strings.HasPrefix(name, ".vigil") {
			t.Errorf("a new file stands outside: %s", name)
		}
	}
	if n < swaps || wrote == 0 {
		t.Errorf("%d swaps, %d of %d tries wrote: the race tried nothing", n, wrote, tries)
	}
	t.Logf("%d swaps, %d writes in %d tries", n, wrote, tries)
}

// TestWrite_IsOldOrNewForEveryReader while it is written again and again.
func TestWrite_IsOldOrNewForEveryReader(t *testing.T) {
	f := filepath.Join(t.TempDir(), "f")
	a, b := bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)
	must(t, write(f, string(a), leave))
	stop := make(chan struct{})
	bad := make(chan string, 1)
	go func() {
		defer close(bad)
		for {
			select {
			case <-stop:
				return
			default:
			}
			got, err := os.ReadFile(f)
			if err != nil || !bytes.Equal(got, a) && !bytes.Equal(got, b) {
				bad <- fmt.Sprintf("%d bytes, %v", len(got), err)
				return
			}
		}
	}()
	for i := range 100 {
		must(t, write(f, string([][]byte{b, a}[i%2]), leave))
	}
	close(stop)
	if s, ok := <-bad; ok {
		t.Error("a reader saw", s)
	}
}
