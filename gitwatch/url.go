package gitwatch

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

var (
	scp  = regexp.MustCompile(`^([a-zA-Z0-9_.][a-zA-Z0-9_.-]*)@([a-zA-Z0-9][a-zA-Z0-9.-]*):([^:\\ ]+)$`)
	host = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9][a-zA-Z0-9.-]*)$`)
)

// parseRemote reads the URL of a remote: https, ssh (also user@host:path), file,
// and http to this machine alone. Everything else, above all what would start a
// program, is no URL here.
func parseRemote(text string) (*transport.Endpoint, error) {
	bad := func(format string, args ...any) (*transport.Endpoint, error) {
		return nil, fmt.Errorf(format, args...)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return bad("a URL has no spaces or control characters")
	}
	if m := scp.FindStringSubmatch(text); m != nil {
		if strings.HasPrefix(m[3], "-") {
			return bad("a path does not begin with a dash")
		}
		return &transport.Endpoint{Protocol: "ssh", User: m[1], Host: m[2], Port: 22, Path: m[3]}, nil
	}
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() {
		return bad("%q is no https, ssh or file URL", text)
	}
	if _, secret := u.User.Password(); secret {
		return bad("a password does not stand in the URL; use password = \"file:/path\"")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || strings.HasPrefix(strings.TrimPrefix(u.Path, "/"), "-") {
		return bad("the URL has parts that a repository's has not")
	}
	name := u.Hostname()
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if u.Scheme != "file" && !host.MatchString(name) {
		return bad("%q is no name of a host", u.Host)
	}
	port := 0
	if u.Port() != "" {
		if port, err = net.LookupPort("tcp", u.Port()); err != nil {
			return bad("%q is no port", u.Port())
		}
	}
	at := &transport.Endpoint{Protocol: u.Scheme, User: u.User.Username(), Host: name, Port: port, Path: u.Path}
	switch u.Scheme {
	case "https":
	case "http":
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return bad("plain http is for this machine alone; use https")
		}
	case "ssh":
		if at.User == "" {
			at.User = "git"
		}
		if port == 0 {
			at.Port = 22
		}
	case "file":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return bad("a file URL is file:///absolute/path")
		}
	default:
		return bad("%q is no https, ssh or file URL", text)
	}
	return at, nil
}
