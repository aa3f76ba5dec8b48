package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/clock"
)

// allowed is the promise, said a second time and otherwise than in the guard:
// which callers pass the door for which permission.
var allowed = map[guard.Permission]string{
	guard.Anyone:     "none viewer pusher operator admin local",
	guard.Read:       "viewer operator admin local",
	guard.Ingest:     "pusher admin local",
	guard.Operate:    "operator admin local",
	guard.Administer: "admin local",
	guard.Fetch:      "viewer operator admin local",
	guard.Push:       "operator admin local",
}

// guest is what a caller without a credential passes for besides, on loopback.
var guest = map[guard.Mode]string{guard.Auto: "read ingest", guard.TokenMode: "", guard.OpenMode: "read ingest operate administer fetch push"}

// TestAuthorizationMatrix asks every route as every caller, in every mode, from
// loopback and as if from outside, and compares with the promise.
func TestAuthorizationMatrix(t *testing.T) {
	for _, mode := range []guard.Mode{guard.Auto, guard.TokenMode, guard.OpenMode} {
		t.Run(string(mode), func(t *testing.T) {
			s := serve(t, func(c *api.Config, _ *api.Deps) { c.Auth = string(mode); c.RateLimit.Enabled = false })
			local := s.local(t)
			n := 0
			for _, r := range s.Routes() {
				for _, who := range []string{"none", "none outside", "viewer", "pusher", "operator", "admin", "local"} {
					c := apitest.Case{Method: r.Method, Path: fill(r.Path), Header: map[string]string{"Accept-Encoding": "gzip"}}
					client, base, role, _ := s.http, s.base, strings.Fields(who)[0], 0
					if who == "local" {
						client, base = local, "http://vigil"
					}
					if strings.HasSuffix(who, "outside") {
						c.Header["X-Forwarded-For"] = "203.0.113.7"
					}
					resp, body := apitest.Ask(t, client, base, s.tokens[role], c)
					want := strings.Contains(" "+allowed[r.Permission]+" ", " "+role+" ")
					if who == "none" || who == "none outside" && mode == guard.OpenMode {
						want = want || strings.Contains(" "+guest[mode]+" ", " "+r.Permission.String()+" ")
					}
					got := resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden
					if got != want {
						t.Errorf("%s %s (%s) as %s: status %d, allowed should be %v: %s", r.Method, r.Path, r.Permission, who, resp.StatusCode, want, body)
					}
					if !want && resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == "" {
						t.Errorf("%s %s as %s: a 401 without WWW-Authenticate", r.Method, r.Path, who)
					}
					n++
				}
			}
			if n < 300 {
				t.Errorf("only %d cells", n)
			}
		})
	}
}

func fill(path string) string {
	return strings.NewReplacer("{id}", "1", "{name}", "x", "{status}", "pending", "{severity}", "info", "{kind}", "File", "{n}", "1").Replace(path)
}

// TestEveryChangeAsksForMoreThanReading: no route that changes anything hangs on
// a permission that `auto` leaves open, but for ingest and the dry run, a fetch,
// and the webhook, which knows by its signature who asks.
func TestEveryChangeAsksForMoreThanReading(t *testing.T) {
	s := serve(t, nil)
	for _, r := range s.Routes() {
		if r.Method == "GET" || r.Path == "/api/v1/policies/evaluate" || r.Permission == guard.Ingest ||
			r.Path == "/git/{name}/git-upload-pack" || r.Path == "/api/v1/git/webhook" {
			continue
		}
		if r.Permission != guard.Operate && r.Permission != guard.Administer && r.Permission != guard.Push {
			t.Errorf("%s %s asks for %s alone", r.Method, r.Path, r.Permission)
		}
	}
}

// TestTokensAreRefusedWhenTheyShould: wrong, expired, deleted, malformed; and a
// wrong one is refused where none at all would do.
func TestTokensAreRefusedWhenTheyShould(t *testing.T) {
	now := clock.System()
	old, oldHash := guard.NewSecret()
	s := serve(t, func(_ *api.Config, d *api.Deps) {
		d.Fixed = append(d.Fixed, engine.Token{Name: "old", Hash: oldHash, Role: "admin", Expires: now().Add(-time.Second)})
	})
	ask := func(auth string) int {
		r, _ := http.NewRequest("GET", s.base+"/api/v1/actions", nil)
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		resp, err := s.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for auth, want := range map[string]int{
		"": 200, "Bearer " + s.tokens["viewer"]: 200, "bearer " + s.tokens["viewer"]: 200, "Token " + s.tokens["viewer"]: 200,
		"Bearer " + old: 401, "Bearer nonsense": 401, "Bearer ": 401, "Basic dTpw": 401, "Bearer " + s.tokens["viewer"] + "x": 401,
		"Bearer " + strings.Repeat("x", 4000): 401,
	} {
		if got := ask(auth); got != want {
			t.Errorf("%.40q: status %d, want %d", auth, got, want)
		}
	}
	_, body := apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: "POST", Path: "/api/v1/tokens", Body: `{"name":"brief","role":"viewer"}`})
	secret := string(body[strings.Index(string(body), "vgl_"):])
	secret = secret[:strings.IndexByte(secret, '"')]
	if got := ask("Bearer " + secret); got != 200 {
		t.Fatalf("a new token: %d", got)
	}
	apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: "DELETE", Path: "/api/v1/tokens/brief"})
	if got := ask("Bearer " + secret); got != 401 {
		t.Errorf("a deleted token: %d", got)
	}
	_, body = apitest.Ask(t, s.http, s.base, s.tokens["admin"], apitest.Case{Method: "GET", Path: "/api/v1/tokens"})
	if strings.Contains(string(body), "vgl_") || strings.Contains(string(body), secret) {
		t.Error("the list of tokens tells a secret")
	}
}

// TestAWrongTokenIsToldApartFromNone: over REST and to git, in words that are the
// same for a token that never was and for one that has expired.
func TestAWrongTokenIsToldApartFromNone(t *testing.T) {
	old, oldHash := guard.NewSecret()
	s := serve(t, func(_ *api.Config, d *api.Deps) {
		d.Fixed = append(d.Fixed, engine.Token{Name: "old", Hash: oldHash, Role: "admin", Expires: clock.System()().Add(-time.Second)})
	})
	for _, path := range []string{"/api/v1/tokens", "/git/desired/info/refs?service=git-upload-pack", "/git/desired/info/refs?service=git-receive-pack"} {
		ask := func(secret string) string {
			r, _ := http.NewRequest("GET", s.base+path, nil)
			switch {
			case secret != "" && strings.HasPrefix(path, "/git/"):
				r.SetBasicAuth("ada", secret)
			case secret != "":
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			resp, err := s.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != 401 {
				t.Errorf("%s: %d %s", path, resp.StatusCode, body)
			}
			var p struct{ Detail string }
			if json.Unmarshal(body, &p) == nil {
				return p.Detail
			}
			return string(body)
		}
		if got := ask(""); !strings.Contains(got, "no token was sent") {
			t.Errorf("%s without a token: %s", path, got)
		}
		never, expired := ask("vgl_never"), ask(old)
		if !strings.Contains(never, "the token that was sent is not known here, or has expired") || never != expired {
			t.Errorf("%s: a wrong token: %s; an expired one: %s", path, never, expired)
		}
	}
}

// TestWrongCredentialsLockOutNobodyElse: after a flood of wrong tokens an
// address is told to wait, and a right token from it is let in all the same.
func TestWrongCredentialsLockOutNobodyElse(t *testing.T) {
	s := serve(t, nil)
	c := apitest.Case{Method: "GET", Path: "/api/v1/actions"}
	limited := false
	for range 60 {
		resp, _ := apitest.Ask(t, s.http, s.base, "wrong", c)
		limited = limited || resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != ""
	}
	if !limited {
		t.Error("sixty wrong tokens and no limit")
	}
	if resp, body := apitest.Ask(t, s.http, s.base, s.tokens["viewer"], c); resp.StatusCode != 200 {
		t.Errorf("a right token is locked out: %d %s", resp.StatusCode, body)
	}
}

// TestForeignHostsAndPagesAreRefused: DNS rebinding and cross-site requests.
func TestForeignHostsAndPagesAreRefused(t *testing.T) {
	s := serve(t, func(c *api.Config, _ *api.Deps) {
		c.AllowedHosts, c.AllowedOrigins = []string{"vigil.example"}, []string{"https://ops.example"}
	})
	port := s.base[strings.LastIndexByte(s.base, ':'):]
	for _, tc := range []struct {
		name, method, host string
		header             map[string]string
		status             int
		allow              string
	}{
		{"own address", "GET", "", nil, 200, ""},
		{"localhost", "GET", "localhost" + port, nil, 200, ""},
		{"localhost in capitals, with a dot", "GET", "LOCALHOST." + port, nil, 200, ""},
		{"address of version 6", "GET", "[::1]" + port, nil, 200, ""},
		{"configured name", "GET", "vigil.example", nil, 200, ""},
		{"rebound name", "GET", "evil.example" + port, nil, 403, ""},
		{"name that begins well", "GET", "localhost.evil.example" + port, nil, 403, ""},
		{"foreign page", "GET", "", map[string]string{"Origin": "https://evil.example"}, 403, ""},
		{"foreign page that posts", "POST", "", map[string]string{"Origin": "https://evil.example"}, 403, ""},
		{"page without a name", "GET", "", map[string]string{"Origin": "null"}, 403, ""},
		{"own page", "GET", "", map[string]string{"Origin": s.base}, 200, ""},
		{"own page by another scheme", "GET", "", map[string]string{"Origin": strings.Replace(s.base, "http", "https", 1)}, 403, ""},
		{"configured page", "GET", "", map[string]string{"Origin": "https://ops.example"}, 200, "https://ops.example"},
		{"configured name, other scheme", "GET", "", map[string]string{"Origin": "http://ops.example"}, 403, ""},
		{"image on a foreign page", "GET", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403, ""},
		{"link on a foreign page", "GET", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200, ""},
		{"preflight", "OPTIONS", "", map[string]string{"Origin": "https://ops.example", "Access-Control-Request-Method": "PUT"}, 200, "https://ops.example"},
		{"foreign preflight", "OPTIONS", "", map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}, 403, ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			r, _ := http.NewRequest(tc.method, s.base+"/api/v1/actions", nil)
			r.Host = tc.host
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			resp, err := s.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tc.status || resp.Header.Get("Access-Control-Allow-Origin") != tc.allow {
				t.Errorf("status %d, want %d; allowed %q: %s", resp.StatusCode, tc.status, resp.Header.Get("Access-Control-Allow-Origin"), body)
			}
		})
	}
}

// TestSocketIsOursAlone: folder 0700, socket 0600, its peers are admins by the
// kernel's word, and what lies in its place is not overrun.
func TestSocketIsOursAlone(t *testing.T) {
	s := serve(t, nil)
	for path, want := range map[string]os.FileMode{s.Socket(): 0o600, s.Socket()[:strings.LastIndexByte(s.Socket(), '/')]: 0o700} {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, fi.Mode(), err)
		}
	}
	resp, body := apitest.Ask(t, s.local(t), "http://any.name", "", apitest.Case{Method: "POST", Path: "/api/v1/pause", Body: `{"for":"1h","reason":"r"}`})
	if want := fmt.Sprintf(`"actor":"local:uid%d"`, os.Geteuid()); resp.StatusCode != 201 || !strings.Contains(string(body), want) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}

	// Another one on the same socket is refused while this one lives.
	cfg := api.Defaults()
	cfg.Listen, cfg.Socket = api.Off, s.Socket()
	other, err := api.New(cfg, api.Deps{Engine: s.fake, Reader: s.fake, Samples: s.fake, Tokens: s.fake, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "another vigild") {
		t.Errorf("a second server took the socket: %v", err)
	}
	if c, err := net.Dial("unix", s.Socket()); err != nil {
		t.Errorf("the socket is gone: %v", err)
	} else {
		_ = c.Close()
	}
}

// TestStaleSocketIsReplaced: what a crash left behind does not stop a start,
// and a file that is no socket does.
func TestStaleSocketIsReplaced(t *testing.T) {
	dir, err := os.MkdirTemp("", "vigil")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := dir + "/s"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	s := serve(t, func(c *api.Config, _ *api.Deps) { c.Listen, c.Socket = api.Off, path })
	if resp, _ := apitest.Ask(t, s.local(t), "http://x", "", apitest.Case{Method: "GET", Path: "/health"}); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	cfg := api.Defaults()
	cfg.Listen, cfg.Socket = api.Off, dir+"/file"
	if err := os.WriteFile(cfg.Socket, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := s.fake
	other, err := api.New(cfg, api.Deps{Engine: f, Reader: f, Samples: f, Tokens: f, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Listen(t.Context()); err == nil {
		t.Error("a file in the socket's place was overrun")
	}
}

// TestOpenOnAPublicAddressRefusesToStart, and other settings that cannot work.
func TestOpenOnAPublicAddressRefusesToStart(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*api.Config)
		ok     bool
	}{
		"defaults":              {func(*api.Config) {}, true},
		"open on loopback":      {func(c *api.Config) { c.Auth = "open" }, true},
		"open on localhost":     {func(c *api.Config) { c.Auth, c.Listen = "open", "localhost:1" }, true},
		"open on ::1":           {func(c *api.Config) { c.Auth, c.Listen = "open", "[::1]:1" }, true},
		"open on all":           {func(c *api.Config) { c.Auth, c.Listen = "open", "0.0.0.0:8000" }, false},
		"open on no host":       {func(c *api.Config) { c.Auth, c.Listen = "open", ":8000" }, false},
		"open on ::":            {func(c *api.Config) { c.Auth, c.Listen = "open", "[::]:8000" }, false},
		"open on an address":    {func(c *api.Config) { c.Auth, c.Listen = "open", "192.0.2.1:8000" }, false},
		"open on a name":        {func(c *api.Config) { c.Auth, c.Listen = "open", "host.example:8000" }, false},
		"token on all":          {func(c *api.Config) { c.Auth, c.Listen = "token", "0.0.0.0:8000" }, true},
		"auto on all":           {func(c *api.Config) { c.Listen = "0.0.0.0:8000" }, true},
		"unknown mode":          {func(c *api.Config) { c.Auth = "none" }, false},
		"no port":               {func(c *api.Config) { c.Listen = "127.0.0.1" }, false},
		"nowhere":               {func(c *api.Config) { c.Listen, c.Socket = "off", "off" }, false},
		"relative socket":       {func(c *api.Config) { c.Socket = "vigil.sock" }, false},
		"certificate alone":     {func(c *api.Config) { c.TLSCert = "/c" }, false},
		"host with a port":      {func(c *api.Config) { c.AllowedHosts = []string{"a:1"} }, false},
		"every host":            {func(c *api.Config) { c.AllowedHosts = []string{"*"} }, false},
		"every origin":          {func(c *api.Config) { c.AllowedOrigins = []string{"*"} }, false},
		"origin with a path":    {func(c *api.Config) { c.AllowedOrigins = []string{"https://a/"} }, false},
		"metrics at the root":   {func(c *api.Config) { c.MetricsPath = "/" }, false},
		"no requests at all":    {func(c *api.Config) { c.RateLimit.Requests = 0 }, false},
		"flight under one body": {func(c *api.Config) { c.Ingest.MaxInFlight = 1 }, false},
	} {
		c := api.Defaults()
		tc.change(&c)
		if err := c.Validate(); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
