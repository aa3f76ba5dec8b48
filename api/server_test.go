package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/clock"
)

// served is a running server with its backstage and one token a role.
type served struct {
	*api.Server
	fake   *apitest.Fake
	base   string
	http   *http.Client
	tokens map[string]string
	log    *lines
	done   chan error
	cancel context.CancelFunc
}

// lines keeps what was logged.
type lines struct{ ch chan string }

func (l *lines) Write(p []byte) (int, error) {
	select {
	case l.ch <- string(p):
	default:
	}
	return len(p), nil
}

// serve starts a server on a free port and a socket of its own.
func serve(t testing.TB, change func(*api.Config, *api.Deps)) *served {
	t.Helper()
	dir, err := os.MkdirTemp("", "vigil") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := api.Defaults()
	cfg.Listen, cfg.Socket = "127.0.0.1:0", filepath.Join(dir, "run", "vigil.sock")
	f := apitest.New(clock.System())
	l := &lines{make(chan string, 1000)}
	deps := api.Deps{Engine: f, Reader: f, Samples: f, Tokens: f, Catalogue: f.Catalogue, Prune: f.Prune, Verify: f.AuditVerify, Clock: clock.System(), Log: slog.New(slog.NewTextHandler(l, nil)), Version: "test", Node: "here"}
	s := &served{fake: f, tokens: map[string]string{}, log: l, done: make(chan error, 1)}
	for _, r := range guard.Roles {
		secret, hash := guard.NewSecret()
		deps.Fixed = append(deps.Fixed, engine.Token{Name: "t-" + r.String(), Hash: hash, Role: r.String()})
		s.tokens[r.String()] = secret
	}
	deps.Git = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, guard.From(r.Context()).Actor) })
	deps.Webhook = deps.Git
	if change != nil {
		change(&cfg, &deps)
	}
	if s.Server, err = api.New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	s.cancel = cancel
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-s.done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("the server does not stop")
		}
	})
	if s.Addr() != nil {
		s.base = "http://" + s.Addr().String()
		if cfg.TLSCert != "" {
			s.base = "https://" + s.Addr().String()
		}
	}
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	s.http = &http.Client{Transport: tr, Timeout: time.Minute}
	return s
}

// local is a client over the Unix socket.
func (s *served) local(t testing.TB) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.Socket())
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// TestContract asks every line of the original's contract, and ours, as an admin.
func TestContract(t *testing.T) {
	s := serve(t, nil)
	apitest.Run(t, s.http, s.base, s.tokens["admin"], apitest.Contract)
	t.Run("ours", func(t *testing.T) { apitest.Run(t, s.http, s.base, s.tokens["admin"], apitest.Ours) })
}

// filterAll takes every remediation.
var filterAll = engine.RemediationFilter{Limit: 1000}
