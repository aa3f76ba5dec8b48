package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// served is a daemon's face with a desired state in memory, over TCP with a
// token a role, and over a socket.
func served(t *testing.T) (socket, url string, tokens map[string]string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "vigil")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := api.Defaults()
	cfg.Listen, cfg.Socket = "127.0.0.1:0", filepath.Join(dir, "run", "vigil.sock")
	f, d := apitest.New(clock.System()), apitest.NewDesired(clock.System())
	deps := api.Deps{Engine: f, Reader: f, Samples: f, Tokens: f, Clock: clock.System(), Version: "test", Node: "here", Desired: d, DesiredReader: d, Reverse: d}
	tokens = map[string]string{}
	for _, r := range guard.Roles {
		secret, hash := guard.NewSecret()
		deps.Fixed = append(deps.Fixed, engine.Token{Name: "t-" + r.String(), Hash: hash, Role: r.String()})
		tokens[r.String()] = secret
	}
	s, err := api.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the server does not stop")
		}
	})
	return s.Socket(), "http://" + s.Addr().String(), tokens
}

// TestDesiredCommands runs each command against a daemon's face: what it prints,
// where, and its exit code.
func TestDesiredCommands(t *testing.T) {
	socket, url, tokens := served(t)
	into := t.TempDir()
	tests := []struct {
		name string
		args string
		code int
		out  string // parts, by |
		errs string
	}{
		{"status", "status", 0, "desired state: 0000000000 applied|good; 250 things, 1 drifted", ""},
		{"plan", "plan", 0, "speaks of 250 things|~ File/f007  set permissions and owner of /etc/f007|permissions: wanted 0644, found 0600 (drift", ""},
		{"plan with an exit code", "plan --exit-code", 6, "File/f007", ""},
		{"plan of no commit", "plan dead", 5, "", "there is no commit dead"},
		{"plan of bad documents", "plan broken", 3, "", "a.yaml:3:5: unknown field contnet"},
		{"drift", "drift", 0, "File/f007  drifted  (a.yaml:1:1)|permissions: wanted 0644, found 0600", ""},
		{"drift with an exit code", "drift --look --exit-code", 6, "File/f007", ""},
		{"drift of one that does not", "drift File/f001 --exit-code", 0, "nothing differs", ""},
		{"drift of what no document speaks of", "drift Fil/f001", 5, "", "Fil/f001"},
		{"everything", "drift --all", 0, "File/f000  in_sync|File/f007  drifted|File/f249  in_sync", ""},
		{"everything with an exit code", "drift --all --exit-code", 6, "File/f000", ""},
		{"drift of no ref", "drift motd", 2, "", "write Kind/name"},
		{"drift history", "drift --history --limit 3", 0, "File/f249|sha256|healed", ""},
		{"drift history of one", "drift --history File/f003", 0, "File/f003", ""},
		{"drift to a commit", "drift --commit File/f007 --reason right", 0, "cccccccccc on the branch drift/file-f007: permissions of File/f007|git fetch origin drift/file-f007 && git merge --no-ff FETCH_HEAD", ""},
		{"drift to a commit of what does not differ", "drift --commit File/f001", 6, "", "stands as its document says"},
		{"a reason for nothing", "drift --reason x", 2, "", "belong to --commit"},
		{"diff", "diff", 0, "File/f007  drifted|--- /etc/f007 as wanted|  -a|  +b", ""},
		{"diff of one", "diff File/f007 --exit-code", 6, "-a", ""},
		{"diff of one that does not", "diff File/f000 --exit-code", 0, "nothing differs", ""},
		{"diff of nothing", "diff File/none", 5, "", "no document speaks of File/none"},
		{"revisions", "revisions --limit 2", 0, "250  |good|249  |replaced", ""},
		{"revision", "revisions 7", 0, "revision 7  replaced|0000000000000000000000000000000000000007", ""},
		{"no such revision", "revisions 999", 5, "", "there is no revision 999"},
		{"rollback", "rollback --reason down", 0, "revision 251, 0000000000: seen", ""},
		{"rollback without a reason", "rollback", 2, "", "--reason"},
		{"retry", "retry 0000000000000000000000000000000000000003", 0, "revision 3,", ""},
		{"retry of a good one", "retry 00000000000000000000000000000000000000fa", 6, "", "not a bad commit"},
		{"suspend", "suspend File/* --for 2h --reason hand", 0, "File/* is left alone until 2|suspend s1", ""},
		{"suspends", "suspend", 0, "s1  File/*", ""},
		{"suspend without an end", "suspend File/motd --reason x", 2, "", "needs --for and --reason"},
		{"suspend for too long", "suspend File/motd --for 31d --reason x", 3, "", "30 days"},
		{"unsuspend", "unsuspend s1", 0, "Suspend 's1' ended", ""},
		{"unsuspend twice", "unsuspend s1", 5, "", "there is no suspend s1"},
		{"adopt", "adopt /etc/motd", 0, "apiVersion: vigil/v1", ""},
		{"adopt by kind", "adopt path /etc/motd", 0, "apiVersion: vigil/v1", ""},
		{"adopt two", "adopt /a /b", 2, "", "one thing at a time"},
		{"adopt nothing", "adopt /none", 5, "", "there is no /none"},
		{"adopt into", "adopt /etc/motd --into " + into, 0, filepath.Join(into, "hosts/here/etc-motd.yaml"), ""},
		{"adopt into where it is", "adopt /etc/motd --into " + into, 6, "", "is there already"},
		{"init", "init", 0, "dddddddddd on main: README.md", ""},
		{"init twice", "init", 6, "", "has commits"},
		{"init into", "init --host web1 --into " + into, 0, "hosts/web1/example-motd.yaml", ""},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			code, out, errs := line(t, []string{"VIGIL_SOCKET=" + socket}, strings.Fields(tt.args)...)
			if code != tt.code || !strings.Contains(errs, tt.errs) {
				t.Errorf("code %d, want %d; %q, want it to hold %q", code, tt.code, errs, tt.errs)
			}
			for _, part := range strings.Split(tt.out, "|") {
				if !strings.Contains(out, part) {
					t.Errorf("%q is not in\n%s", part, out)
				}
			}
			if code > 1 && code != 6 && out != "" {
				t.Errorf("an error wrote to standard output: %q", out)
			}
		})
	}
	for _, args := range []string{"plan", "drift", "drift --history", "diff", "revisions", "revisions 7", "suspend", "adopt /etc/motd", "status"} {
		code, out, errs := line(t, []string{"VIGIL_SOCKET=" + socket}, append(strings.Fields(args), "-o", "json")...)
		var v any
		if err := json.Unmarshal([]byte(out), &v); code != 0 || err != nil {
			t.Errorf("%s as JSON: code %d, %v, %s", args, code, err, errs)
		}
	}
	// Who may not administer sees the properties, and is told why not the lines.
	code, out, errs := line(t, []string{"VIGIL_URL=" + url, "VIGIL_TOKEN=" + tokens["viewer"]}, "diff")
	if code != 0 || !strings.Contains(out, "permissions: wanted") || strings.Contains(out, "-a") || !strings.Contains(errs, "admin") {
		t.Errorf("a viewer's diff: %d\n%s\n%s", code, out, errs)
	}
}

// TestDrift_NothingIsComparedIsNotNothingDiffers: where the documents that hold cannot
// be read, an empty list is no good news, and no script may take it for that.
func TestDrift_NothingIsComparedIsNotNothingDiffers(t *testing.T) {
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/api/v1/desired" {
			_, _ = io.WriteString(w, `{"enabled":true,"mode":"enforce","unread":"the revision 0123456789 cannot be read: a.yaml:1:1: wrong","suspends":[]}`)
			return
		}
		_, _ = io.WriteString(w, `{"total":0,"resources":[]}`)
	}))
	defer daemon.Close()
	for _, args := range []string{"drift", "drift --all", "drift File/a", "drift --look --exit-code", "diff", "diff --exit-code"} {
		code, out, errs := line(t, []string{"VIGIL_URL=" + daemon.URL}, strings.Fields(args)...)
		if code != fault.Unavailable.Exit() || out != "" || !strings.Contains(errs, "nothing is compared with the machine: the revision 0123456789 cannot be read: a.yaml:1:1: wrong") {
			t.Errorf("%s: code %d, %q, %q", args, code, out, errs)
		}
	}
}
