package guard

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Mode is what a caller on TCP without a credential may do.
type Mode string

// The modes of `[api] auth`.
const (
	Auto      Mode = "auto"  // read and ingest from loopback; a token for all else
	OpenMode  Mode = "open"  // everything, on a loopback listener only
	TokenMode Mode = "token" // nothing
)

// Peer is where a connection comes from, found out once when it is accepted.
type Peer struct {
	Addr     netip.Addr // zero over the Unix socket
	Loopback bool       // both ends are on this host's loopback
	Unix     bool
	UID      int // of the process at the other end of the Unix socket, -1 unknown
}

// forwarded are the headers by which a proxy tells that the caller is someone
// else: what such a request asks for does not come from this host.
var forwarded = [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

// Own says that the other end of the Unix socket may use it: root or the user
// uid that runs vigild.
func (p Peer) Own(uid int) bool {
	return p.Unix && p.UID >= 0 && (p.UID == 0 || p.UID == uid)
}

// Door decides who a request's caller is and whether it may come in.
type Door struct {
	Mode     Mode
	Keys     *Keyring
	UID      int // vigild's own
	failures *Limiter
}

// NewDoor makes a door. now is the clock that failed credentials are counted on.
func NewDoor(mode Mode, keys *Keyring, uid int, now clock.Clock) *Door {
	return &Door{Mode: mode, Keys: keys, UID: uid, failures: NewLimiter(now, 4096)}
}

// failuresPerMinute is how many wrong credentials one address may show before
// it is told to wait. A right one is let in whatever was counted.
const failuresPerMinute = 30

// Admit finds out who asks and whether the permission is theirs. Errors are
// Unauthenticated, Forbidden or Exhausted.
func (d *Door) Admit(r *http.Request, p Peer, need Permission) (Caller, error) {
	return d.admit(r, p, need, Bearer)
}

// AdmitGit is Admit for git clients, whose token is the password of Basic auth.
func (d *Door) AdmitGit(r *http.Request, p Peer, need Permission) (Caller, error) {
	c, err := d.admit(r, p, need, Password)
	switch {
	case fault.KindOf(err) == fault.Unauthenticated && c.Open:
		err = fault.New(fault.Unauthenticated, "no token was sent, and git needs one here, as the password of whatever name").Mend("`vigild token create NAME --role operator` makes one that may push")
	case fault.KindOf(err) == fault.Forbidden && c.Actor != "":
		err = MayNotGit(c, need)
	}
	return c, err
}

// MayNotGit tells a git client that its token is of the wrong role, and of which
// it has to be: the one that is named like it pushes something else.
func MayNotGit(c Caller, need Permission) error {
	err := fault.New(fault.Forbidden, "%s has the role %s, which may not %s", c.Actor, c.Role, need)
	if c.Role == Pusher {
		return err.Mend("a pusher sends samples; `vigild token create NAME --role operator` makes one for git")
	}
	return err.Mend("`vigild token create NAME --role operator` makes one that may")
}

// reading takes the secret out of an Authorization header.
type reading func(header string) (secret string, given bool, err error)

func (d *Door) admit(r *http.Request, p Peer, need Permission, read reading) (Caller, error) {
	c, err := d.identify(r, p, read)
	if err != nil {
		if need == Anyone { // health and documentation are for all
			return Caller{Actor: "open", Open: true}, nil
		}
		return c, err
	}
	if c.Role.May(need) {
		return c, nil
	}
	if c.Open {
		return c, fault.New(fault.Unauthenticated, "no token was sent, and this needs one: the permission asked is %q", need).
			Mend("send `Authorization: Bearer TOKEN`; `vigild token create` makes one")
	}
	return c, fault.New(fault.Forbidden, "%s has the role %s, which may not %s", c.Actor, c.Role, need)
}

func (d *Door) identify(r *http.Request, p Peer, read reading) (Caller, error) {
	if p.Unix {
		if !p.Own(d.UID) {
			return Caller{}, fault.New(fault.Forbidden, "only root and the user that runs vigild may use its socket")
		}
		return Caller{Actor: "local:uid" + strconv.Itoa(p.UID), Role: Admin, Local: true}, nil
	}
	secret, given, err := read(r.Header.Get("Authorization"))
	if given && err == nil {
		t, ferr := d.Keys.Find(secret)
		if ferr == nil {
			role, rerr := ParseRole(t.Role)
			return Caller{Actor: "token:" + t.Name, Token: t.Name, Role: role}, rerr
		}
		err = ferr
	}
	if err != nil {
		if v := d.failures.Take(Key(p.Addr), failuresPerMinute, time.Minute); !v.OK {
			return Caller{}, fault.New(fault.Exhausted, "too many wrong credentials from this address").After(v.Reset)
		}
		return Caller{}, err
	}
	open := Caller{Actor: "open", Open: true, Role: Nobody}
	switch d.Mode {
	case OpenMode:
		open.Role = Admin
	case Auto:
		if p.Loopback && !viaProxy(r) {
			open.Role = Guest
		}
	}
	return open, nil
}

func viaProxy(r *http.Request) bool {
	for _, h := range forwarded {
		if _, ok := r.Header[h]; ok {
			return true
		}
	}
	return false
}

// Key is what an address is counted under: itself, or its /64 for IPv6, where
// one host has many, and all of loopback as one, of which each user of this host
// has sixteen million.
func Key(a netip.Addr) string {
	a = a.Unmap()
	if a.IsLoopback() {
		return "loopback"
	}
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// PeerOf reads the two ends of a TCP connection.
func PeerOf(c net.Conn) Peer {
	remote, local := addr(c.RemoteAddr()), addr(c.LocalAddr())
	return Peer{Addr: remote, UID: -1, Loopback: remote.IsLoopback() && local.IsLoopback()}
}

func addr(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
