package receive_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a whole git server in a test.
type server struct {
	t     testing.TB
	store *store.Store
	url   string // of the repository
	deps  receive.Deps

	handler *receive.Server

	mu     sync.Mutex
	landed []objects.Revision
	opts   receive.Options
}

type tweak func(*receive.Config, *receive.Deps, *store.Config)

func newServer(t testing.TB, tweaks ...tweak) *server {
	t.Helper()
	s := &server{t: t}
	cfg := receive.Defaults()
	scfg := store.Config{Dir: filepath.Join(t.TempDir(), "desired"), Branch: "main", Caps: pack.Defaults()}
	s.deps = receive.Deps{
		Authorize: func(r *http.Request) (receive.Pusher, error) {
			_, token, _ := r.BasicAuth()
			switch token {
			case "operator":
				return receive.Pusher{Name: "ada", Read: true, Push: true}, nil
			case "admin":
				return receive.Pusher{Name: "root", Read: true, Push: true, Rewind: true}, nil
			case "viewer":
				return receive.Pusher{Name: "eve", Read: true}, nil
			}
			return receive.Pusher{}, fault.New(fault.Unauthenticated, "a token is needed")
		},
		Landed: func(_ context.Context, r objects.Revision, o receive.Options, say func(string)) error {
			s.mu.Lock()
			s.landed, s.opts = append(s.landed, r), o
			s.mu.Unlock()
			say("applied " + r.Short())
			return nil
		},
	}
	for _, f := range tweaks {
		f(&cfg, &s.deps, &scfg)
	}
	var err error
	if s.store, err = store.Open(scfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.store.Close)
	s.deps.Store = s.store
	h, err := receive.New(cfg, s.deps)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = h
	s.url = gittest.Serve(t, h, "operator") + "/git/desired"
	return s
}

func (s *server) as(token string) string {
	return strings.Replace(s.url, ":operator@", ":"+token+"@", 1)
}

func (s *server) tip() string {
	h := s.store.Ref("refs/heads/main")
	if h.IsZero() {
		return ""
	}
	return h.String()
}

func (s *server) landings() []objects.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.landed
}

// manyFiles is an archive of n small documents in folders.
func manyFiles(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "-- hosts/h%02d/file-%05d.yaml --\napiVersion: vigil/v1\nkind: File\nmetadata:\n  name: f%d\nspec:\n  path: /etc/x/%d\n  mode: \"0644\"\n  content: |\n    %s\n", i%50, i, i, i, strings.Repeat(fmt.Sprint(i*7919), 6))
	}
	return b.String()
}
