// Package web is the one HTTP client of all checks: no proxy from the
// environment, no connection kept between two rounds, every connection timed and
// its certificate noted, secrets resolved at each request and never taken along
// to another host.
//
// It refuses passwords in URLs and headers that are none. A client belongs to one
// request; what it starts has ended when the answer's body is closed or its
// context ended.
package web

import (
	"context"
	"net"
	"net/http"
)

// NewClient makes a client for one round: no proxy from the environment, no
// connection kept, and every connection watched.
func NewClient(w *Watch, socket string, trust Trust) *http.Client {
	var d net.Dialer
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if socket != "" {
			network, addr = "unix", socket
		}
		return d.DialContext(ctx, network, addr)
	}
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       dial,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				host = addr
			}
			t, err := w.tls(ctx, conn, host, trust)
			if err != nil {
				conn.Close()
				return nil, err
			}
			return t, nil
		},
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}}
}
