package api_test

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/api/guard"
)

// TestGitByRole: what a git client asks for, as each role: the token is the
// password, whatever the name; a push is asked for in a query too.
func TestGitByRole(t *testing.T) {
	s := serve(t, nil)
	requests := []struct {
		method, path string
		push         bool
	}{
		{"GET", "/git/desired/info/refs?service=git-upload-pack", false},
		{"POST", "/git/desired/git-upload-pack", false},
		{"GET", "/git/desired/info/refs?service=git-receive-pack", true},
		{"GET", "/git/desired.git/info/refs?x=1&service=git-receive-pack", true},
		{"POST", "/git/desired/git-receive-pack", true},
	}
	for _, q := range requests {
		for role, want := range map[string]string{"none": "", "wrong": "", "viewer": "fetch", "pusher": "", "operator": "fetch push", "admin": "fetch push"} {
			r, err := http.NewRequest(q.method, s.base+q.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			secret := s.tokens[role]
			if role == "wrong" {
				secret = "wrong"
			}
			if role != "none" {
				r.SetBasicAuth("ada", secret)
			}
			resp, err := s.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			status := 200
			switch need := map[bool]string{true: "push", false: "fetch"}[q.push]; {
			case role == "none" || role == "wrong":
				status = 401
				if !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
					t.Errorf("%s as %s: git is not asked for a password", q.path, role)
				}
			case !strings.Contains(want, need):
				status = 403
			}
			if resp.StatusCode != status || status == 200 && string(body) != "token:t-"+role {
				t.Errorf("%s %s as %s: %d, want %d: %s", q.method, q.path, role, resp.StatusCode, status, body)
			}
			if status != 200 && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("%s as %s: git shows plain text alone", q.path, role)
			}
		}
	}
}

// TestGitPushNeedsTLSFromOutside: a fetch in clear text is warned of, a push is
// not taken; over loopback and over TLS it is.
func TestGitPushNeedsTLSFromOutside(t *testing.T) {
	for _, tc := range []struct {
		from    string
		push    bool
		refused bool
	}{{"203.0.113.7", true, true}, {"203.0.113.7", false, false}, {"127.0.0.1", true, false}} {
		peer := guard.Peer{Addr: netip.MustParseAddr(tc.from), Loopback: strings.HasPrefix(tc.from, "127."), UID: -1}
		need := map[bool]guard.Permission{true: guard.Push, false: guard.Fetch}[tc.push]
		err := api.MayGit(guard.Caller{Actor: "token:a", Role: guard.Admin}, peer, false, need)
		if (err != nil) != tc.refused || err != nil && !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%+v: %v", tc, err)
		}
		if err := api.MayGit(guard.Caller{Actor: "token:a", Role: guard.Admin}, peer, true, need); err != nil {
			t.Errorf("%+v over TLS: %v", tc, err)
		}
	}
}

// TestGitIsNotCut: bodies over max_body go through, and the rules for them are the
// git server's; without a repository there are no routes.
func TestGitIsNotCut(t *testing.T) {
	got := make(chan int64, 1)
	s := serve(t, func(c *api.Config, d *api.Deps) {
		c.MaxBody = 10
		d.Git = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { n, _ := io.Copy(io.Discard, r.Body); got <- n })
	})
	r, _ := http.NewRequestWithContext(context.Background(), "POST", s.base+"/git/desired/git-receive-pack", strings.NewReader(strings.Repeat("x", 4096)))
	r.SetBasicAuth("", s.tokens["admin"])
	r.Header.Set("Idempotency-Key", "k") // must not be kept in memory
	resp, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if n := <-got; n != 4096 {
		t.Errorf("%d bytes came through", n)
	}
	none := serve(t, func(_ *api.Config, d *api.Deps) { d.Git, d.Webhook = nil, nil })
	for _, c := range []apitest.Case{{Method: "GET", Path: "/git/desired/info/refs?service=git-upload-pack"}, {Method: "POST", Path: "/api/v1/git/webhook"}} {
		if resp, _ := apitest.Ask(t, none.http, none.base, none.tokens["admin"], c); resp.StatusCode != 404 {
			t.Errorf("%s: %d", c.Path, resp.StatusCode)
		}
	}
}

// TestSelfMadeCertificateIsToldWithTheRepositoryThatIsThere: the command that the
// log offers names the repository by its configured name, and none where there is
// none.
func TestSelfMadeCertificateIsToldWithTheRepositoryThatIsThere(t *testing.T) {
	for name, there := range map[string]bool{"fleet": true, "desired": false} {
		s := serve(t, func(c *api.Config, d *api.Deps) {
			c.TLS, c.DataDir, d.GitName = api.SelfTLS, t.TempDir(), name
			if !there {
				d.Git = nil
			}
		})
		for told := false; !told; {
			select {
			case line := <-s.log.ch:
				if told = strings.Contains(line, "self-made"); !told {
					continue
				}
				if strings.Contains(line, "/git/"+name) != there || strings.Contains(line, "git clone") != there || !strings.Contains(line, "sha256//") {
					t.Errorf("%s: %s", name, line)
				}
			case <-time.After(time.Minute):
				t.Fatal("not told")
			}
		}
	}
}
