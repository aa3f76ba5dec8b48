package listen

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOwnerOf: whose the other end of a loopback connection is, over IPv4 and IPv6.
func TestOwnerOf(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("%s: %v", at, err) // a host without IPv6
			continue
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		remote, local := s.RemoteAddr().(*net.TCPAddr).AddrPort(), s.LocalAddr().(*net.TCPAddr).AddrPort()
		if uid, ok := uidOf(remote, local); !ok || int(uid) != os.Getuid() {
			t.Errorf("%s: uid %d, %v", at, uid, ok)
		}
		// What its process has closed is nobody's, and not root's.
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if uid, ok := uidOf(remote, local); ok {
			t.Errorf("%s: closed, and of uid %d", at, uid)
		}
	}
}

// TestOneUserDoesNotLockOutOthers: a user of this host who takes every place that
// is to be had leaves another one theirs, and has no more than an address has.
func TestOneUserDoesNotLockOutOthers(t *testing.T) {
	on, err := Open(Config{Address: "127.0.0.1:0", Socket: Off, All: 100, PerAddress: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close()
	go func() { // ends with the listener; what is accepted stays open
		for {
			c, err := on.TCP.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("x"))
		}
	}()
	// taken says how many of n connections that are made at one time are let in.
	var open []net.Conn
	taken := func(n int) (in int) {
		for range n {
			c, err := net.Dial("tcp", on.TCP.Addr().String())
			if err != nil {
				t.Error(err)
				return in
			}
			open = append(open, c)
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := c.Read(make([]byte, 1)); err == nil {
				in++
			} else if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("neither taken nor closed")
			}
		}
		return in
	}
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	if in := taken(20); in != 8 {
		t.Errorf("%d connections of one user, want 8", in)
	}
	if os.Geteuid() != 0 {
		return // another user's socket takes root to make
	}
	done := make(chan int)
	go func() {
		runtime.LockOSThread() // never given back: the thread ends with the goroutine
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
		}
		if is, _ := unix.SetfsuidRetUid(65534); is != 65534 {
			t.Errorf("sockets are made as uid %d", is)
		}
		done <- taken(20)
	}()
	if in := <-done; in != 4 {
		t.Errorf("%d connections of another user beside, want 4", in)
	}
}
