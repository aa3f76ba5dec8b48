package units

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// Where systemd listens. Its private socket is root's, and is there even when the
// bus is not.
const (
	privateSocket = "unix:path=/run/systemd/private"
	systemBus     = "unix:path=/run/dbus/system_bus_socket"
)

// connect opens a connection to systemd for calls.
func (m *Manager) connect(ctx context.Context) (*dbus.Conn, error) {
	return dbus.NewConnection(func() (*godbus.Conn, error) {
		c, _, err := m.listen(ctx)
		return c, err
	})
}

// listen opens a connection whose signals nobody else reads. Root speaks to the
// private socket if it can, others need the bus and polkit; bus says whether a
// bus lies between.
func (m *Manager) listen(ctx context.Context) (c *godbus.Conn, bus bool, err error) {
	address := m.conf.Bus
	if address == "" {
		if os.Geteuid() == 0 {
			if c, err = dial(ctx, privateSocket); err == nil {
				return c, false, nil
			}
		}
		address = systemBus
	}
	c, err = dial(ctx, address)
	return c, !private(address), err
}

// private says that an address is systemd itself and no bus.
func private(address string) bool { return strings.HasSuffix(address, "/private") }

// dial opens and authenticates. The private socket is a peer and knows no Hello.
func dial(ctx context.Context, address string) (*godbus.Conn, error) {
	c, err := godbus.Dial(address, godbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	err = c.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	switch {
	case err != nil:
	case private(address):
		err = wake(ctx, c)
	default:
		err = c.Hello()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Between two pings, and for all of them.
const (
	pingEvery = 50 * time.Millisecond
	pingFor   = 10 * time.Second
)

// wake gets the first answer from systemd itself. A call that arrives in one
// piece with the end of the handshake lies there unread until more arrives
// (seen with systemd 252), so that the first call of a connection may hang: ping
// until there is an answer.
func wake(ctx context.Context, c *godbus.Conn) error {
	ctx, stop := context.WithTimeout(ctx, pingFor)
	defer stop()
	answers := make(chan *godbus.Call, int(pingFor/pingEvery)+1)
	again := time.NewTicker(pingEvery)
	defer again.Stop()
	for {
		c.Object(service, "/").GoWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0, answers)
		select {
		case a := <-answers:
			return silent(a.Err)
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// silent lets every answer of the other side pass: an error that it sends is an
// answer too.
func silent(err error) error {
	if _, ok := err.(godbus.Error); ok {
		return nil
	}
	return err
}
