package bus

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeBus is a D-Bus daemon with systemd behind it, as far as this room asks.
type fakeBus struct {
	ln    net.Listener
	units [][]any // rows of ListUnits
	props map[string]dbus.Variant

	mu    sync.Mutex
	conns []net.Conn
	calls map[string]int
	sigs  []net.Conn // those that subscribed
}

func startBus(t *testing.T) (*fakeBus, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeBus{ln: ln, calls: map[string]int{}, props: map[string]dbus.Variant{}}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			go f.serve(c)
		}
	}()
	t.Cleanup(func() { ln.Close(); f.hangUp() })
	return f, "unix:path=" + path
}

func (f *fakeBus) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns, f.sigs = nil, nil
}

func (f *fakeBus) count(member string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[member]
}

// serve speaks the server's side of the handshake and then answers calls.
func (f *fakeBus) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	if b, err := r.ReadByte(); err != nil || b != 0 {
		return
	}
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch l = strings.TrimSpace(l); {
		case l == "AUTH":
			c.Write([]byte("REJECTED EXTERNAL\r\n"))
		case strings.HasPrefix(l, "AUTH EXTERNAL"), strings.HasPrefix(l, "DATA"):
			c.Write([]byte("OK 0123456789abcdef0123456789abcdef\r\n"))
		case l == "NEGOTIATE_UNIX_FD":
			c.Write([]byte("ERROR\r\n"))
		case l == "BEGIN":
			f.answer(c, r)
			return
		}
	}
}

func (f *fakeBus) answer(c net.Conn, r *bufio.Reader) {
	for {
		m, err := dbus.DecodeMessage(r)
		if err != nil {
			return
		}
		if m.Type != dbus.TypeMethodCall {
			continue
		}
		member, _ := m.Headers[dbus.FieldMember].Value().(string)
		f.mu.Lock()
		f.calls[member]++
		units := f.units
		if member == "Subscribe" {
			f.sigs = append(f.sigs, c)
		}
		f.mu.Unlock()
		switch member {
		case "Hello":
			f.reply(c, m, ":1.1")
		case "ListUnitsFiltered", "ListUnitsByPatterns", "ListUnitsByNames":
			f.reply(c, m, rows(units))
		case "Get":
			v, ok := f.props[m.Body[1].(string)]
			if !ok {
				f.fail(c, m, "org.freedesktop.DBus.Error.UnknownProperty")
				continue
			}
			f.reply(c, m, v)
		default:
			f.reply(c, m)
		}
	}
}

type unitRow struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           dbus.ObjectPath
	JobID                                          uint32
	JobType                                        string
	JobPath                                        dbus.ObjectPath
}

func rows(in [][]any) []unitRow {
	out := []unitRow{}
	for _, u := range in {
		out = append(out, unitRow{Name: u[0].(string), Load: "loaded", Active: u[1].(string), Sub: u[2].(string), Path: "/u", JobPath: "/"})
	}
	return out
}

func (f *fakeBus) reply(c net.Conn, to *dbus.Message, body ...any) {
	m := &dbus.Message{Type: dbus.TypeMethodReply, Flags: dbus.FlagNoReplyExpected, Body: body,
		Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(to.Serial())}}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	m.EncodeTo(c, binary.LittleEndian)
}

func (f *fakeBus) fail(c net.Conn, to *dbus.Message, name string) {
	m := &dbus.Message{Type: dbus.TypeError, Flags: dbus.FlagNoReplyExpected, Body: []any{"no"},
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldReplySerial: dbus.MakeVariant(to.Serial()), dbus.FieldErrorName: dbus.MakeVariant(name),
			dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf("no"))}}
	m.EncodeTo(c, binary.LittleEndian)
}

// signal tells the subscribers that a unit changed.
func (f *fakeBus) signal(path dbus.ObjectPath) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	body := []any{"org.freedesktop.systemd1.Unit", map[string]dbus.Variant{"ActiveState": dbus.MakeVariant("failed")}, []string{}}
	m := &dbus.Message{Type: dbus.TypeSignal, Flags: dbus.FlagNoReplyExpected, Body: body,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath: dbus.MakeVariant(path), dbus.FieldInterface: dbus.MakeVariant("org.freedesktop.DBus.Properties"),
			dbus.FieldMember: dbus.MakeVariant("PropertiesChanged"), dbus.FieldSender: dbus.MakeVariant(":1.0"),
			dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...))}}
	for _, c := range f.sigs {
		m.EncodeTo(c, binary.LittleEndian)
	}
	return len(f.sigs) > 0
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func ask(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestUnitsOverTheBus(t *testing.T) {
	f, addr := startBus(t)
	f.units = [][]any{{"web.service", "failed", "failed"}, {"db.service", "failed", "failed"}}
	f.props = map[string]dbus.Variant{"NRestarts": dbus.MakeVariant(uint32(7)), "MemoryCurrent": dbus.MakeVariant(^uint64(0)), "Result": dbus.MakeVariant("exit-code")}
	s := New(addr, nil)
	defer s.Close()
	for range 3 {
		got, err := s.Failed(ask(t))
		if err != nil || len(got) != 2 || got[0].Name != "web.service" || got[1].Active != "failed" {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if n := f.count("Hello"); n != 2 {
		t.Errorf("%d connections for three questions, want the library's 2, kept", n)
	}
	if got, err := s.Match(ask(t), "web*"); err != nil || len(got) != 2 || f.count("ListUnitsByPatterns") != 1 {
		t.Errorf("a glob: %v, %v", got, err)
	}
	if _, err := s.Match(ask(t), "web.service"); err != nil || f.count("ListUnitsByNames") != 1 {
		t.Errorf("a name: %v", err)
	}
	if p, ok, err := s.Property(ask(t), "web.service", "Service", "NRestarts"); err != nil || !ok || p.Number != 7 {
		t.Errorf("NRestarts: %v %v %v", p, ok, err)
	}
	if p, ok, err := s.Property(ask(t), "web.service", "Service", "Result"); err != nil || !ok || p.Text != "exit-code" {
		t.Errorf("Result: %v %v %v", p, ok, err)
	}
	for _, name := range []string{"MemoryCurrent", "NoSuch"} {
		if _, ok, err := s.Property(ask(t), "web.service", "Service", name); ok || err != nil {
			t.Errorf("%s, which is not set: %v %v", name, ok, err)
		}
	}
}

// TestReconnects: a bus that went away is asked again, over a new connection.
func TestReconnects(t *testing.T) {
	f, addr := startBus(t)
	s := New(addr, nil)
	defer s.Close()
	if _, err := s.Failed(ask(t)); err != nil {
		t.Fatal(err)
	}
	f.hangUp()
	within(t, "an answer over a new connection", func() bool { _, err := s.Failed(ask(t)); return err == nil })
}

// TestAbsentBus: no systemd is ErrAbsent, at once and without dialling each time.
func TestAbsentBus(t *testing.T) {
	s := New("unix:path="+filepath.Join(t.TempDir(), "none"), nil)
	defer s.Close()
	for range 3 {
		if _, err := s.Failed(ask(t)); !errors.Is(err, ErrAbsent) {
			t.Errorf("got %v, want ErrAbsent", err)
		}
	}
}

func TestAskGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deaf")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := New("unix:path="+path, nil)
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Failed(ctx); err == nil {
		t.Error("a deaf bus gave an answer")
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("asking a deaf bus took %v", d)
	}
}

func TestWatchTellsOfChanges(t *testing.T) {
	f, addr := startBus(t)
	s := New(addr, nil)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var got []string
	done := make(chan error)
	go func() { done <- s.Watch(ctx, func(u string) { mu.Lock(); got = append(got, u); mu.Unlock() }) }()
	within(t, "the signal", func() bool {
		f.signal("/org/freedesktop/systemd1/unit/web_2eservice")
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(got, "web.service")
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch ended with %v", err)
	}
}
