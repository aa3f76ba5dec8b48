// Package listen is the listeners of the HTTP face: TCP, with TLS from files
// when asked, and the Unix socket, and who is at the other end of a connection.
//
// The Unix socket lies in a folder of our own (0700) and is ours alone (0600);
// its peers are known by the kernel's word (SO_PEERCRED). Connections are
// capped in all and per address, with some spared for the socket; users of this host
// have shares of their own.
//
// It refuses a folder that others own, a file in the socket's place, and to
// serve: it accepts and counts, api/guard decides. Open binds and Close frees;
// nothing runs in between.
package listen

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vigil/api/contract"
	"vigil/api/guard"
	"vigil/engine/fault"
)

// Off as an address or a socket means: none.
const Off = "off"

// Config says where to listen and how many may come.
type Config struct {
	Address         string // host:port, or Off
	Socket          string // path, "" the usual place, or Off
	Cert, Key       string // PEM files, "" for no TLS
	All, PerAddress int    // connections
}

// Listeners are the open ones.
type Listeners struct {
	TCP, Unix net.Listener // nil when off
	Socket    string       // path of the Unix socket

	cfg   Config
	tls   *certificate
	conns *connections
}

// Open binds what the config names. On an error nothing stays bound.
func Open(cfg Config) (*Listeners, error) {
	s := &Listeners{cfg: cfg, conns: newConnections(min(cfg.All, affordable(descriptors())), cfg.PerAddress)}
	if cfg.Cert != "" {
		c, err := loadCertificate(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, err
		}
		s.tls = c
	}
	if cfg.Socket != Off {
		if err := s.listenUnix(); err != nil {
			return nil, err
		}
	}
	if cfg.Address != Off {
		if err := s.listenTCP(); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// affordable is how many connections leave half of the descriptors that a process
// may have for everything else: with none left vigild could neither measure nor act.
func affordable(descriptors uint64) int {
	return max(int(min(descriptors, 1<<30)/2)-spared, 8)
}

// descriptors is how many this process may have.
func descriptors() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	return l.Cur
}

// All lists the open listeners.
func (s *Listeners) All() []net.Listener {
	var out []net.Listener
	for _, l := range []net.Listener{s.TCP, s.Unix} {
		if l != nil {
			out = append(out, l)
		}
	}
	return out
}

// TLS says whether TCP is encrypted.
func (s *Listeners) TLS() bool { return s.tls != nil }

// Counts is how many connections are open, and how many were refused so far.
func (s *Listeners) Counts() (open int, cut uint64) { return s.conns.counts() }

func (s *Listeners) listenTCP() error {
	l, err := net.Listen("tcp", s.cfg.Address)
	if err != nil {
		kind := fault.Unavailable
		if errors.Is(err, syscall.EADDRINUSE) {
			return fault.New(kind, "%s is taken by another program", s.cfg.Address).At("api.listen").
				Mend("stop it, or choose another port; port 0 takes a free one")
		}
		return fault.Wrap(kind, err, "cannot listen on %s", s.cfg.Address)
	}
	s.TCP = &counted{Listener: l, c: s.conns}
	if s.tls != nil {
		s.TCP = s.tls.listener(s.TCP)
	}
	return nil
}

// listenUnix makes the folder (0700) and the socket (0600) in it. A socket that
// nobody answers on is left over from a crash and replaced; a folder of others
// is refused, since its owner could put another socket in our place.
func (s *Listeners) listenUnix() error {
	p := contract.SocketPath(s.cfg.Socket)
	dir := filepath.Dir(p)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot make the folder of the socket").(*fault.Error).At("api.socket")
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot look at the folder of the socket %s", dir)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() {
		return fault.New(fault.Forbidden, "the folder of the socket %s is not a folder of our own", dir).At("api.socket").
			Mend("remove it or choose another path")
	}
	if st.Mode&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fault.Wrap(fault.Forbidden, err, "the folder of the socket %s is open to others", dir)
		}
	}
	if fi, err := os.Lstat(p); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return fault.New(fault.Conflict, "%s is there and is not a socket", p).At("api.socket").Mend("remove it or choose another path")
		}
		if c, err := net.DialTimeout("unix", p, time.Second); err == nil {
			_ = c.Close()
			return fault.New(fault.Conflict, "another vigild answers on %s", p).At("api.socket").Mend("stop it, or give this one another socket")
		}
		if err := os.Remove(p); err != nil {
			return fault.Wrap(fault.Unavailable, err, "cannot remove the stale socket")
		}
	}
	l, err := net.Listen("unix", p)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot listen on the socket")
	}
	if err := os.Chmod(p, 0o600); err != nil {
		_ = l.Close()
		return fault.Wrap(fault.Unavailable, err, "cannot close the socket to others")
	}
	s.Unix, s.Socket = &counted{Listener: l, c: s.conns}, p
	return nil
}

// Close frees the listeners and takes the socket's file away.
func (s *Listeners) Close() {
	for _, l := range s.All() {
		_ = l.Close()
	}
}

// ---- who is at the other end

type peerKey struct{}

// caller is who is at the other end of a connection.
type caller struct {
	guard.Peer
	owner func() string // asked of the kernel when somebody wants to know, once
}

// WithPeer finds out, once for a connection, who is at its other end.
func WithPeer(ctx context.Context, c net.Conn) context.Context {
	p := peerOf(c)
	return context.WithValue(ctx, peerKey{}, caller{p, sync.OnceValue(func() string {
		if remote, local, ok := bothHere(c, p); ok {
			return ownerOf(remote, local)
		}
		return ""
	})})
}

func peerOf(c net.Conn) guard.Peer {
	switch c := c.(type) {
	case interface{ NetConn() net.Conn }: // TLS, or our own wrapper
		return peerOf(c.NetConn())
	case *net.UnixConn:
		p := guard.Peer{Unix: true, UID: -1}
		raw, err := c.SyscallConn()
		if err != nil {
			return p
		}
		_ = raw.Control(func(fd uintptr) {
			if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				p.UID = int(cred.Uid)
			}
		})
		return p
	}
	return guard.PeerOf(c)
}

// Peer is who is at the other end of a request's connection.
func Peer(r *http.Request) guard.Peer {
	p, ok := r.Context().Value(peerKey{}).(caller)
	if !ok {
		p.UID = -1
	}
	return p.Peer
}

// Key is what a request without a token is counted under: its address, and where that
// is this host's own the user whose connection it is.
func Key(r *http.Request) string {
	p, ok := r.Context().Value(peerKey{}).(caller)
	if !ok {
		return guard.Key(p.Addr)
	}
	return guard.Key(p.Addr) + p.owner()
}

// ---- how many connections

// connections caps open connections, in all and per address. Those who may use
// the Unix socket count in all alone, with a share that nobody else can take.
type connections struct {
	all, each int

	mu  sync.Mutex
	n   int
	by  map[string]int
	cut uint64
}

// spared is how many connections stay free for the Unix socket, so that a flood
// from outside does not lock out the person at the host.
const spared = 16

func newConnections(all, each int) *connections {
	return &connections{all: all, each: each, by: map[string]int{}}
}

// enter takes a place in all, and one of most under key; those of the Unix socket
// count in all alone.
func (c *connections) enter(key string, most int, local bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.all
	if local {
		limit += spared
	}
	if c.n >= limit || !local && c.by[key] >= most {
		c.cut++
		return false
	}
	c.n++
	c.by[key]++
	return true
}

// under is how many are open under key.
func (c *connections) under(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[key]
}

func (c *connections) leave(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.by[key]--; c.by[key] <= 0 {
		delete(c.by, key)
	}
}

func (c *connections) counts() (open int, cut uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n, c.cut
}

// counted closes connections over the caps as soon as they are accepted.
type counted struct {
	net.Listener
	c *connections
}

func (l *counted) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p := peerOf(conn)
		own := p.Own(os.Geteuid())
		key, most := l.place(conn, p)
		if p.Unix && !own { // the door refuses them; until then they are one address
			key = "unix:strangers"
		}
		if l.c.enter(key, most, own) {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.c.leave(key) })}, nil
		}
		_ = conn.Close()
	}
}

// place is the key under which a connection counts, and how many there may be. All
// users of this host come from one address: half of its places are anybody's, and
// once they are taken each user has as many more.
func (l *counted) place(conn net.Conn, p guard.Peer) (key string, most int) {
	key, most = guard.Key(p.Addr), l.c.each
	remote, local, ok := bothHere(conn, p)
	if !ok {
		return key, most
	}
	if most /= 2; l.c.under(key) < most {
		return key, most
	}
	return key + ownerOf(remote, local), l.c.each - most
}

// bothHere is the two ends of a connection within this host.
func bothHere(conn net.Conn, p guard.Peer) (remote, local netip.AddrPort, ok bool) {
	r, ok1 := conn.RemoteAddr().(*net.TCPAddr)
	l, ok2 := conn.LocalAddr().(*net.TCPAddr)
	if !ok1 || !ok2 || !p.Addr.IsLoopback() && p.Addr != l.AddrPort().Addr().Unmap() {
		return remote, local, false
	}
	return r.AddrPort(), l.AddrPort(), true
}

type countedConn struct {
	net.Conn
	leave func()
}

func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// NetConn is the connection below, for peerOf.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets the server end an answer before it closes, so that a client
// which still sends can read why it was refused.
func (c *countedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
