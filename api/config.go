package api

import (
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"vigil/api/guard"
	"vigil/api/ingest"
	"vigil/api/listen"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// Off as an address or a socket means: none.
const Off = listen.Off

// Config is the `[api]` section.
type Config struct {
	Listen         string   `toml:"listen"` // host:port, or "off"
	Auth           string   `toml:"auth"`   // auto, open, token
	Socket         string   `toml:"socket"` // path; "" the usual place; "off"
	TLS            string   `toml:"tls"`    // self: with a certificate made here
	TLSCert        string   `toml:"tls_cert"`
	TLSKey         string   `toml:"tls_key"`
	AllowedHosts   []string `toml:"allowed_hosts"`
	AllowedOrigins []string `toml:"allowed_origins"`
	MetricsPath    string   `toml:"metrics_path"`
	MaxBody        int64    `toml:"max_body"` // bytes, of all but ingest

	Connections           int               `toml:"connections"`
	ConnectionsPerAddress int               `toml:"connections_per_address"`
	ReadTimeout           document.Duration `toml:"read_timeout"`  // of one request
	WriteTimeout          document.Duration `toml:"write_timeout"` // of one answer
	Drain                 document.Duration `toml:"drain"`         // for running requests at the stop

	RateLimit RateLimit     `toml:"rate_limit"`
	Ingest    ingest.Config `toml:"ingest"`

	DataDir string `toml:"-"` // where a self-made certificate lies, under tls/
}

// SelfTLS as tls means a certificate that vigild makes for itself.
const SelfTLS = "self"

// Encrypted says that TCP speaks TLS.
func (c Config) Encrypted() bool { return c.TLS == SelfTLS || c.TLSCert != "" }

// RateLimit is requests per client (token, else address) and period. The Unix
// socket and the health routes are not limited.
type RateLimit struct {
	Enabled         bool              `toml:"enabled"`
	Requests        int               `toml:"requests"`
	IngestRequests  int               `toml:"ingest_requests"`
	ActionsRequests int               `toml:"actions_requests"`
	Period          document.Duration `toml:"period"`
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{
		Listen: "127.0.0.1:8000", Auth: string(guard.Auto), MetricsPath: "/metrics", MaxBody: 1 << 20,
		AllowedHosts: []string{}, AllowedOrigins: []string{},
		Connections: 1024, ConnectionsPerAddress: 256,
		ReadTimeout: document.Duration(30 * time.Second), WriteTimeout: document.Duration(time.Minute),
		Drain: document.Duration(5 * time.Second),
		RateLimit: RateLimit{Enabled: true, Requests: 6000, IngestRequests: 600_000, ActionsRequests: 3000,
			Period: document.Duration(time.Minute)},
		Ingest: ingest.Defaults(),
	}
}

// Validate names the first setting that cannot work.
func (c Config) Validate() error {
	bad := func(key, mend, format string, args ...any) error {
		return fault.New(fault.Unprocessable, format, args...).At("api."+key).Mend("%s", mend)
	}
	switch guard.Mode(c.Auth) {
	case guard.Auto, guard.OpenMode, guard.TokenMode:
	default:
		return bad("auth", "use auto, open or token", "%q is not a mode", c.Auth)
	}
	if c.Listen != Off {
		_, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return bad("listen", "write host:port, such as 127.0.0.1:8000, or off", "%q is not an address", c.Listen)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return bad("listen", "a port is a number up to 65535; 0 takes a free one", "%q is not a port", port)
		}
		if guard.Mode(c.Auth) == guard.OpenMode && !loopback(c.Listen) {
			return bad("auth", "listen on 127.0.0.1, or use auto or token", "open lets everybody change everything, and %s can be reached from outside", c.Listen)
		}
	}
	if c.Socket != "" && c.Socket != Off && !path.IsAbs(c.Socket) {
		return bad("socket", "write the whole path, or off", "%q is not an absolute path", c.Socket)
	}
	if c.Listen == Off && c.Socket == Off {
		return bad("listen", "keep one of them", "with listen and socket both off nobody could reach vigild")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return bad("tls_cert", "give both files or neither", "a certificate and its key belong together")
	}
	switch {
	case c.TLS != "" && c.TLS != SelfTLS:
		return bad("tls", "write self, or leave it and give tls_cert and tls_key", "%q is not self", c.TLS)
	case c.TLS == SelfTLS && c.TLSCert != "":
		return bad("tls", "give one of the two", "a self-made certificate and tls_cert exclude each other")
	}
	for _, h := range c.AllowedHosts {
		if err := guard.CheckHost(h); err != nil {
			return bad("allowed_hosts", "write bare names in lower case", "%s", err.Error())
		}
	}
	for _, o := range c.AllowedOrigins {
		if err := guard.CheckOrigin(o); err != nil {
			return bad("allowed_origins", "write https://name[:port]", "%s", err.Error())
		}
	}
	if !strings.HasPrefix(c.MetricsPath, "/") || strings.ContainsAny(c.MetricsPath, "{} ?#") || path.Clean(c.MetricsPath) != c.MetricsPath || c.MetricsPath == "/" {
		return bad("metrics_path", "write it as /metrics", "%q is not a path", c.MetricsPath)
	}
	for _, v := range []struct {
		key  string
		n    int64
		high int64
	}{
		{"max_body", c.MaxBody, 64 << 20},
		{"connections", int64(c.Connections), 1 << 20},
		{"connections_per_address", int64(c.ConnectionsPerAddress), 1 << 20},
		{"read_timeout", int64(c.ReadTimeout), int64(time.Hour)},
		{"write_timeout", int64(c.WriteTimeout), int64(time.Hour)},
		{"drain", int64(c.Drain), int64(10 * time.Minute)},
		{"rate_limit.requests", int64(c.RateLimit.Requests), 1 << 40},
		{"rate_limit.ingest_requests", int64(c.RateLimit.IngestRequests), 1 << 40},
		{"rate_limit.actions_requests", int64(c.RateLimit.ActionsRequests), 1 << 40},
		{"rate_limit.period", int64(c.RateLimit.Period), int64(24 * time.Hour)},
	} {
		if v.n <= 0 || v.n > v.high {
			return bad(v.key, "give a value above zero and not beyond reason", "%d is out of range", v.n)
		}
	}
	return c.Ingest.Validate()
}

// loopback says whether an address can only be reached from this host.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
