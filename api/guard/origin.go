package guard

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"vigil/engine/fault"
)

// Origins decides which names the server answers to and which web pages may
// ask it. Host names are checked against DNS rebinding: a page whose name was
// pointed at this host still says its own name. Addresses are not names, so a
// literal one is always well.
type Origins struct {
	Hosts   []string // further names, lower case, without port
	Allowed []string // origins, as scheme://host[:port]
}

// Host refuses a request for a name that is not ours.
func (o Origins) Host(r *http.Request) error {
	name := hostname(r.Host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || isAddr(name) {
		return nil
	}
	for _, h := range o.Hosts {
		if h == name {
			return nil
		}
	}
	return fault.New(fault.Forbidden, "the host %q is not one that this server answers to", clip(r.Host)).
		Mend("add it to [api] allowed_hosts if it is right")
}

// Origin refuses a request that a foreign web page makes. cors is the origin to
// name in the answer, "" when the page is our own or there is none.
func (o Origins) Origin(r *http.Request) (cors string, err error) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		// A page can send a GET without an Origin; browsers then say where from.
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return "", foreign("another site")
		}
		return "", nil
	}
	for _, a := range o.Allowed {
		if a == origin {
			return origin, nil
		}
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) &&
		(u.Scheme == "http" && r.TLS == nil || u.Scheme == "https" && r.TLS != nil) {
		return "", nil
	}
	return "", foreign(clip(origin))
}

func foreign(what string) error {
	return fault.New(fault.Forbidden, "web pages of %q may not use this server", what).
		Mend("add the origin to [api] allowed_origins if it is right")
}

// CheckOrigin says whether a configured origin is one that a browser can send.
func CheckOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fault.New(fault.Unprocessable, "%q is not an origin", s).Mend("write it as https://name or https://name:port, without a path")
	}
	return nil
}

// CheckHost says whether a configured host is a bare name.
func CheckHost(s string) error {
	if s == "" || s != strings.ToLower(s) || strings.ContainsAny(s, "/:@* ") {
		return fault.New(fault.Unprocessable, "%q is not a host name", s).Mend("write the bare name in lower case, without port and path")
	}
	return nil
}

// hostname is the name in a Host header, lower case, without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

func isAddr(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
