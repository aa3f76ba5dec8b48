// Package outward is how acts reach other hosts over HTTP, and what they cannot
// reach: the host itself, its link, and the metadata services of clouds, unless
// the local config lists them.
//
// A name is resolved once, every address is checked, and the very address that
// passed is dialled, so a name server cannot answer differently the second time.
// Redirects are not followed, no proxy is taken from the environment, bodies are
// bounded. It refuses to read or keep secrets; it starts nothing that outlives a
// call.
package outward

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"vigil/engine/fault"
)

// Resolve finds the addresses of a host name.
type Resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Client sends requests to hosts that may be reached. Concurrent.
type Client struct {
	allow   []netip.Prefix
	names   []string
	resolve Resolve
	http    *http.Client
}

// New makes a client. allow lists host names, addresses or prefixes that may be
// reached although they are local; resolve nil is the host's resolver.
func New(allow []string, resolve Resolve) (*Client, error) {
	c := &Client{resolve: resolve}
	if resolve == nil {
		c.resolve = net.DefaultResolver.LookupNetIP
	}
	for _, a := range allow {
		if p, err := netip.ParsePrefix(a); err == nil {
			c.allow = append(c.allow, p.Masked())
		} else if ip, err := netip.ParseAddr(a); err == nil {
			c.allow = append(c.allow, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
		} else if a != "" && !strings.ContainsAny(a, "/:* ") {
			c.names = append(c.names, strings.ToLower(a))
		} else {
			return nil, fault.New(fault.Unprocessable, "%q is not a host name, an address or a prefix", a)
		}
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: c.dial, DisableKeepAlives: true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ips, err := c.resolve(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var refused error
	named := slices.Contains(c.names, strings.ToLower(host))
	for _, ip := range ips {
		ip = ip.Unmap()
		if why := local(ip); why != "" && !named && !c.listed(ip) {
			what := host
			if host != ip.String() {
				what += " (" + ip.String() + ")"
			}
			refused = fault.New(fault.Forbidden, "%s is %s and not to be reached from here", what, why).
				Mend("list it under allow in the local config, if it is meant")
			continue
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		if err == nil {
			return conn, nil
		}
		refused = err
	}
	if refused == nil {
		refused = fmt.Errorf("%s has no address", host)
	}
	return nil, refused
}

func (c *Client) listed(ip netip.Addr) bool {
	return slices.ContainsFunc(c.allow, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// local says why an address is not one of another host, "" if it is. Addresses
// of IPv4 inside those of IPv6 are taken out first.
func local(ip netip.Addr) string {
	if ip.Is6() {
		b := ip.As16()
		switch {
		case netip.MustParsePrefix("64:ff9b::/96").Contains(ip): // NAT64
			return local(netip.AddrFrom4([4]byte(b[12:])))
		case b[0] == 0x20 && b[1] == 0x02: // 6to4
			return local(netip.AddrFrom4([4]byte(b[2:6])))
		}
	}
	switch {
	case ip.IsLoopback():
		return "this host itself"
	case ip.IsUnspecified(), ip.Is4() && ip.As4()[0] == 0:
		return "no address of another host"
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast(), ip.IsInterfaceLocalMulticast():
		return "local to the link"
	case ip.IsMulticast():
		return "a multicast group"
	case ip == netip.MustParseAddr("fd00:ec2::254"), ip == netip.MustParseAddr("100.100.100.200"), ip == netip.MustParseAddr("168.63.129.16"):
		return "a cloud's metadata service"
	}
	return ""
}

// Answer is what came back.
type Answer struct {
	Status int
	Body   []byte        // at most the bound
	Cut    bool          // there was more
	After  time.Duration // Retry-After, 0 none
}

// Do sends q and blocks for the answer, of which at most bound bytes are read.
// With an error, sent says whether the request may have reached the other side.
func (c *Client) Do(q *http.Request, bound int64) (a Answer, sent bool, err error) {
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	r, err := c.http.Do(q.WithContext(httptrace.WithClientTrace(q.Context(), trace)))
	if err != nil {
		return Answer{}, wrote.Load(), err
	}
	defer r.Body.Close()
	a.Status = r.StatusCode
	if d, bad := time.ParseDuration(r.Header.Get("Retry-After") + "s"); bad == nil && d > 0 {
		a.After = d
	}
	a.Body, err = io.ReadAll(io.LimitReader(r.Body, bound+1))
	if int64(len(a.Body)) > bound {
		a.Body, a.Cut = a.Body[:bound], true
	}
	if err != nil && len(a.Body) == 0 && q.Context().Err() != nil {
		return a, true, err
	}
	return a, true, nil // the status decides; a body cut short is still an answer
}
