package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of a search for whoever writes a file.
const (
	suspectTime  = 200 * time.Millisecond
	suspectProcs = 20_000
	suspectFiles = 1024 // open files looked at in one process
	suspectNamed = 3
	suspectArgs  = 120 // bytes of a command line
	suspectText  = 800
)

// How much speaks for it that a process is the writer, most first.
const (
	writes = iota
	swaps  // has a neighbour open that is named after the file, as editors do
	reads
	folder
	works
	nothing
)

var suspicion = [...]string{"has it open for writing", "has a copy of it open beside it", "has it open", "has its folder open", "works in its folder"}

// suspect is a process that could be the writer.
type suspect struct {
	pid   int
	why   int
	start uint64 // ticks since boot
}

// Suspect names who could be writing a file: processes that have it open, or a
// neighbour named after it, or its folder, the likeliest first and of those the
// newest; else the file's owner. It is for people: whoever wrote and ended is not
// found, and "" says that nothing speaks for anybody. Secrets in arguments are
// covered. It reads /proc for 200 ms at most and may be called concurrently.
func (w *World) Suspect(ctx context.Context, path string) string {
	ctx, stop := context.WithTimeout(ctx, suspectTime)
	defer stop()
	found := w.suspects(ctx, path)
	slices.SortFunc(found, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(a.why, b.why), cmp.Compare(b.start, a.start), cmp.Compare(b.pid, a.pid))
	})
	var out []string
	for _, s := range found[:min(len(found), suspectNamed)] {
		if who := w.who(s.pid); who != "" {
			out = append(out, who+" "+suspicion[s.why])
		}
	}
	if len(out) == 0 {
		return w.owner(path)
	}
	return short(strings.Join(out, "; "), suspectText)
}

// suspects looks at every process but this one, newest numbers first.
func (w *World) suspects(ctx context.Context, path string) []suspect {
	d, err := os.Open(w.proc)
	if err != nil {
		return nil
	}
	names, err := d.Readdirnames(maxProcs)
	d.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	var pids []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	slices.Reverse(pids)
	var out []suspect
	for _, pid := range pids[:min(len(pids), suspectProcs)] {
		if ctx.Err() != nil {
			break
		}
		if why := w.holds(ctx, pid, path); why < nothing {
			out = append(out, suspect{pid, why, w.started(pid)})
		}
	}
	return out
}

// holds says what speaks for it that a process writes a file.
func (w *World) holds(ctx context.Context, pid int, path string) int {
	at, base := filepath.Split(path)
	at = strings.TrimSuffix(at, "/")
	why := nothing
	dir := filepath.Join(w.proc, strconv.Itoa(pid))
	if cwd, err := os.Readlink(dir + "/cwd"); err == nil && cwd == at {
		why = works
	}
	fds, err := os.Open(dir + "/fd")
	if err != nil {
		return why
	}
	defer fds.Close()
	names, err := fds.Readdirnames(suspectFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return why
	}
	fd, b := int(fds.Fd()), make([]byte, 4096)
	for i, name := range names {
		if i%64 == 63 && ctx.Err() != nil {
			break
		}
		n, err := unix.Readlinkat(fd, name, b)
		if err != nil || n == 0 || b[0] != '/' {
			continue
		}
		target := strings.TrimSuffix(string(b[:n]), " (deleted)") // it was replaced while this one has it open
		switch in, beside := strings.CutPrefix(target, at+"/"); {
		case target == path && w.writable(pid, name):
			return writes
		case target == path:
			why = min(why, reads)
		case target == at && at != "":
			why = min(why, folder)
		case beside && !strings.Contains(in, "/") && strings.Contains(in, base) && w.writable(pid, name):
			why = min(why, swaps)
		}
	}
	return why
}

// writable reports whether a descriptor of a process was opened for writing.
func (w *World) writable(pid int, fd string) bool {
	for line := range strings.Lines(string(w.read(strconv.Itoa(pid)+"/fdinfo/"+fd, 1024))) {
		if v, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(v), 8, 64)
			return err == nil && flags&unix.O_ACCMODE != unix.O_RDONLY
		}
	}
	return false
}

// started is when a process began, in ticks since boot.
func (w *World) started(pid int) uint64 {
	b := string(w.read(strconv.Itoa(pid)+"/stat", 4096))
	f := strings.Fields(b[strings.LastIndexByte(b, ')')+1:])
	if len(f) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(f[19], 10, 64)
	return n
}

// who describes a process: command line, pid, user, and the user who logged in
// when that is another; "" when it is gone.
func (w *World) who(pid int) string {
	dir := strconv.Itoa(pid)
	st, err := os.Stat(filepath.Join(w.proc, dir))
	if err != nil {
		return ""
	}
	var args string
	if b := w.read(dir+"/cmdline", 2048); len(b) > 0 {
		args = strings.Join(coverArgs(strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")), " ")
	} else {
		args = strings.TrimSpace(string(w.read(dir+"/comm", 64)))
	}
	out := fmt.Sprintf("%s (pid %d", short(args, suspectArgs), pid)
	uid := uint32(0)
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		uid = sys.Uid
		out += ", " + w.user(uid)
	}
	login, err := strconv.ParseUint(strings.TrimSpace(string(w.read(dir+"/loginuid", 32))), 10, 32)
	if err == nil && uint32(login) != ^uint32(0) && uint32(login) != uid {
		out += ", logged in as " + w.user(uint32(login))
	}
	return out + ")"
}

func (w *World) user(uid uint32) string {
	if name := w.names.user(uid); name != "" {
		return fmt.Sprintf("uid %d (%s)", uid, name)
	}
	return fmt.Sprintf("uid %d", uid)
}

// owner says to whom the file belongs: the weakest word about who wrote it.
func (w *World) owner(path string) string {
	fd, err := hold(path, 0)
	if err != nil || fd < 0 {
		return ""
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return ""
	}
	return fmt.Sprintf("%s by the file's owner, written at %s", w.user(st.Uid), time.Unix(st.Mtim.Unix()).UTC().Format(time.RFC3339))
}

// short cuts a text to printable characters and at most n bytes.
func short(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}
