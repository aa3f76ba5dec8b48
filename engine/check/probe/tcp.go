package probe

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"vigil/engine/check/web"
	"vigil/engine/series"
)

// TCP connects, and may say something and look at the answer.
type TCP struct {
	Address    string `yaml:"address"`     // host:port, or unix:/path
	Send       string `yaml:"send"`        // sent after connecting
	Expect     string `yaml:"expect"`      // regular expression that what comes back must match
	TLS        bool   `yaml:"tls"`         // speak TLS
	ServerName string `yaml:"server_name"` // of TLS, default the host of address
	CA         string `yaml:"ca"`          // reference to a PEM file of authorities, default the system's
	Insecure   bool   `yaml:"insecure"`    // do not verify the certificate
}

const maxSend = 64 << 10

// Build is described at Params.
func (p *TCP) Build(s *Site) Check {
	c := &tcp{TCP: *p, site: s, network: "tcp", address: p.Address,
		connect: s.metric(nameTCPConnect), took: s.metric(nameTCPTime), days: s.metric(nameTLSDays)}
	if path, ok := strings.CutPrefix(p.Address, "unix:"); ok {
		c.network, c.address = "unix", path
		if !strings.HasPrefix(path, "/") {
			s.bad("address", "%q: a Unix socket needs an absolute path", p.Address)
		}
	} else if host, port, err := net.SplitHostPort(p.Address); err != nil || host == "" || port == "" {
		s.bad("address", "%q is no address: expected host:port or unix:/path", p.Address)
	} else if c.host = host; p.ServerName != "" {
		c.host = p.ServerName
	}
	if p.TLS && c.network == "unix" {
		if c.host = p.ServerName; c.host == "" && !p.Insecure {
			s.bad("server_name", "TLS over a Unix socket needs a server_name")
		}
	}
	s.wrong("ca", web.CheckTrust(p.CA, p.Insecure))
	if len(p.Send) > maxSend {
		s.bad("send", "longer than %d bytes", maxSend)
	}
	if p.Expect != "" {
		var err error
		if c.expect, err = regexp.Compile(p.Expect); err != nil {
			s.bad("expect", "not a regular expression: %v", err)
		}
	}
	return c
}

type tcp struct {
	TCP
	site                   *Site
	network, address, host string
	expect                 *regexp.Regexp
	connect, took, days    series.Labels
}

func (c *tcp) Collect(ctx context.Context, emit Emit) error {
	began := time.Now()
	var d net.Dialer
	conn, err := d.DialContext(ctx, c.network, c.address)
	if err != nil {
		return down("connect: %v", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	emit(c.connect, time.Since(began).Seconds())
	if c.TLS {
		trust, err := web.TrustIn(c.CA, c.Insecure, c.site.Deps.Secret)
		if err != nil {
			return err
		}
		tconn, peer, err := web.Handshake(ctx, conn, c.host, trust)
		if peer != nil {
			emit(c.days, web.DaysLeft(peer))
		}
		if err != nil {
			return down("tls: %v", err)
		}
		conn = tconn
	}
	if c.Send != "" {
		if _, err := conn.Write([]byte(c.Send)); err != nil {
			return down("send: %v", err)
		}
	}
	if c.expect != nil {
		if err := c.listen(ctx, conn); err != nil {
			return err
		}
	}
	emit(c.took, time.Since(began).Seconds())
	return nil
}

// listen reads until what came matches, the other side ends, or the cap is reached.
func (c *tcp) listen(ctx context.Context, conn net.Conn) error {
	buf := make([]byte, 0, min(c.site.MaxOutput, 4096))
	for len(buf) < c.site.MaxOutput {
		if len(buf) == cap(buf) {
			bigger := make([]byte, len(buf), min(c.site.MaxOutput, 2*cap(buf)))
			copy(bigger, buf)
			buf = bigger
		}
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n > 0 && c.expect.Match(buf) {
			return nil
		}
		if ctx.Err() != nil {
			return down("no answer that matches %q in time; %d bytes came: %s", c.Expect, len(buf), excerpt(buf))
		}
		if err != nil {
			return down("the other side ended without an answer that matches %q; %d bytes came: %s", c.Expect, len(buf), excerpt(buf))
		}
	}
	return down("no match for %q in the first %d bytes", c.Expect, len(buf))
}

// excerpt is the beginning of an answer, made fit for a log.
func excerpt(b []byte) string {
	return fmt.Sprintf("%.80q", b)
}
