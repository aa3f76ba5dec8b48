// Package bus asks systemd over D-Bus: which units there are and how they are.
//
// One connection serves everybody who measures units; it is made at the first
// question, kept, and made anew when it broke, but not more often than every few
// seconds. A machine without systemd answers [ErrAbsent], which is no failure,
// and says so in the log once.
//
// It refuses to change anything: starting and stopping is for actions. Close
// ends the connection and the goroutines that the library runs for it.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// ErrAbsent says that this machine has no systemd to ask.
var ErrAbsent = errors.New("there is no systemd here")

// redialAfter is how long a failed dial is remembered.
const redialAfter = 5 * time.Second

// dialWait bounds each step of a dial.
const dialWait = time.Second

// The places where systemd is found.
const (
	booted     = "/run/systemd/system"
	systemBus  = "/run/dbus/system_bus_socket"
	privateBus = "/run/systemd/private" // root alone; works without a bus daemon
)

// Systemd is the connection. Its methods may be called concurrently; they block
// until systemd has answered or ctx ends.
type Systemd struct {
	address string
	log     *slog.Logger

	mu     sync.Mutex
	conn   *systemd.Conn
	tried  time.Time
	last   error
	quiet  bool // the absence was logged
	closed bool
}

// New makes a connection that dials when it is first needed. The address is a
// D-Bus address ("unix:path=/..."); empty finds the system's own.
func New(address string, log *slog.Logger) *Systemd {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Systemd{address: address, log: log}
}

// Close ends the connection; later questions answer ErrAbsent.
func (s *Systemd) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.drop()
}

func (s *Systemd) drop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// get returns the connection, dialling if there is none.
func (s *Systemd) get() (*systemd.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrAbsent
	}
	if s.conn != nil && s.conn.Connected() {
		return s.conn, nil
	}
	s.drop()
	if !s.tried.IsZero() && time.Since(s.tried) < redialAfter {
		return nil, s.last
	}
	s.tried = time.Now()
	conn, err := s.dial()
	if err != nil {
		s.last = err
		if errors.Is(err, ErrAbsent) && !s.quiet {
			s.quiet = true
			s.log.Info("units are not measured", "reason", err.Error())
		}
		return nil, err
	}
	s.conn, s.quiet, s.tried = conn, false, time.Time{}
	return conn, nil
}

func (s *Systemd) dial() (*systemd.Conn, error) {
	address, hello := s.address, true
	if address == "" {
		if _, err := os.Stat(booted); err != nil {
			return nil, ErrAbsent
		}
		address = "unix:path=" + systemBus
		if _, err := os.Stat(systemBus); err != nil {
			if os.Geteuid() != 0 {
				return nil, fmt.Errorf("%w: no system bus, and its private socket is root's", ErrAbsent)
			}
			address, hello = "unix:path="+privateBus, false
		}
	} else if path, ok := strings.CutPrefix(address, "unix:path="); ok {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s does not exist", ErrAbsent, path)
		}
	}
	// The library asks without a limit of its own while it connects, so the
	// deadline of the sockets stands until it is through.
	var raws []net.Conn
	conn, err := systemd.NewConnection(func() (*dbus.Conn, error) {
		c, raw, err := open(address, hello)
		raws = append(raws, raw)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to systemd at %s: %w", address, err)
	}
	for _, raw := range raws {
		if err := raw.SetDeadline(time.Time{}); err != nil {
			conn.Close()
			return nil, fmt.Errorf("connect to systemd at %s: %w", address, err)
		}
	}
	return conn, nil
}

// open dials and authenticates as this process's uid, which needs no look-up of
// a user's name. A bus that is deaf is given up after dialWait: whoever asks
// waits behind the lock meanwhile.
func open(address string, hello bool) (*dbus.Conn, net.Conn, error) {
	path, ok := strings.CutPrefix(address, "unix:path=")
	if !ok {
		return nil, nil, fmt.Errorf("%q is no address: expected unix:path=/...", address)
	}
	raw, err := net.DialTimeout("unix", path, dialWait)
	if err != nil {
		return nil, nil, err
	}
	if err := raw.SetDeadline(time.Now().Add(dialWait)); err != nil {
		raw.Close()
		return nil, nil, err
	}
	c, err := dbus.NewConn(raw)
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	if err = c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err == nil {
		if hello {
			err = c.Hello()
		} else {
			err = wake(c)
		}
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, raw, nil
}

// wake gets the first answer from systemd itself. A call that arrives in one
// piece with the end of the handshake lies there unread until more arrives, so
// ping until there is an answer, be it an error.
func wake(c *dbus.Conn) error {
	answers := make(chan *dbus.Call, 64)
	again := time.NewTicker(dialWait / 32)
	defer again.Stop()
	for range 32 {
		c.Object("org.freedesktop.systemd1", "/").Go("org.freedesktop.DBus.Peer.Ping", 0, answers)
		select {
		case a := <-answers:
			if _, ok := a.Err.(dbus.Error); ok {
				return nil
			}
			return a.Err
		case <-again.C:
		}
	}
	return errors.New("systemd does not answer")
}

// ask runs one question over the connection.
func (s *Systemd) ask(ctx context.Context, what string, f func(*systemd.Conn) error) error {
	conn, err := s.get()
	if err != nil {
		return err
	}
	if err := f(conn); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("ask systemd for %s: %w", what, err)
	}
	return nil
}
