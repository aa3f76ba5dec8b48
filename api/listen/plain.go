package listen

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"vigil/api/problem"
	"vigil/engine/fault"
)

// plainListener answers what comes as plain HTTP where TLS is spoken.
type plainListener struct{ net.Listener }

func (l plainListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plainConn{Conn: c}, nil
}

// plainConn is what TLS reads from. Its first byte tells whether that is TLS; if it
// is a request in clear text, it is answered here and TLS finds the end.
type plainConn struct {
	net.Conn
	first sync.Once
	ahead io.Reader
	err   error
}

// NetConn is the connection below, for peerOf.
func (c *plainConn) NetConn() net.Conn { return c.Conn }

func (c *plainConn) Read(p []byte) (int, error) {
	c.first.Do(c.look)
	if c.err != nil {
		return 0, c.err
	}
	return c.ahead.Read(p)
}

var errPlain = errors.New("plain HTTP where TLS is spoken")

// maxPlain bounds what is read of a request that is refused.
const maxPlain = 32 << 10

func (c *plainConn) look() {
	var first [1]byte
	if _, c.err = io.ReadFull(c.Conn, first[:]); c.err != nil {
		return
	}
	c.ahead = io.MultiReader(bytes.NewReader(first[:]), c.Conn)
	if first[0] < 'A' || first[0] > 'Z' { // every method begins so, and no record of TLS
		return
	}
	c.err = errPlain
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c.ahead, maxPlain)))
	if err != nil {
		return
	}
	p := problem.New(fault.Invalid, "this port speaks TLS, and the request came as plain http: use https:// (a token that came with it has crossed the network in clear text; replace it)")
	p.Title, p.Instance = "Client sent an HTTP request to an HTTPS server", r.URL.Path
	media, body := problem.ContentType, []byte(nil)
	if body, err = problem.Compact(p); err != nil || strings.HasPrefix(r.URL.Path, "/git/") { // git shows plain text alone
		media, body = "text/plain; charset=utf-8", []byte(p.Detail+"\n")
	}
	res := http.Response{
		StatusCode: p.Status, ProtoMajor: 1, ProtoMinor: 1, Request: r, Close: true,
		Header: http.Header{"Content-Type": {media}, "X-Content-Type-Options": {"nosniff"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	if res.Write(c.Conn) != nil {
		return
	}
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok && h.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, maxPlain)) // closing over unread bytes would take the answer back
	}
}
