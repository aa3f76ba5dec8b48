// Package receive is the git server: clone, fetch and push over smart HTTP, for
// any stock git client, in protocol 0, 1 and 2.
//
// A push lies in quarantine until everything about it was decided: caps,
// connectivity, the rules for its refs, the signature, and the verdict of
// whoever reads its documents. The pusher sees each step as it is taken, and
// nothing moves unless all agree. Objects and refs are on the disk before the
// client hears so.
//
// It refuses refs outside its list, history that is rewritten by somebody who
// may not, removing the watched branch, push options it does not know, and the
// dumb protocol. It runs no hook, reads no config of a repository and starts no
// program.
// Invariants: a ref has its old value or its new one; two pushes at once cannot
// both win; a request costs no more than its caps.
//
// [Server] starts nothing of its own; a request ends with its work, its
// deadline or its client.
package receive

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/store"
)

// Config is what the server serves.
type Config struct {
	Name     string           // in the URL: /git/NAME
	Writable []string         // full refs, or prefixes that end in /*; the watched branch always is
	Tree     objects.TreeCaps // of a revision
	Timeout  time.Duration    // for a request, waiting left out
	AtOnce   int              // clones that work at once, and as many pushes; more wait, for a while
}

// Defaults serve /git/desired and take its watched branch alone.
func Defaults() Config {
	return Config{Name: "desired", Tree: objects.TreeDefaults(), Timeout: 5 * time.Minute, AtOnce: 4}
}

// Validate checks the names and the bounds.
func (c Config) Validate() error {
	if c.Name == "" || strings.ContainsAny(c.Name, "/.%?# ") {
		return fault.New(fault.Unprocessable, "%q is no name for a repository", c.Name)
	}
	for _, p := range c.Writable {
		if err := store.CheckPattern(p); err != nil {
			return err
		}
	}
	if c.Timeout <= 0 || c.AtOnce <= 0 {
		return fault.New(fault.Unprocessable, "timeout and at_once must be positive")
	}
	return c.Tree.Validate()
}

// Deps is what the server asks of others. All but Store and Authorize may be
// nil. They are called from the goroutines of requests.
type Deps struct {
	Store *store.Store
	// Authorize says who asks. For git the password of Basic auth is the token.
	Authorize func(r *http.Request) (Pusher, error)
	// Verify says who signed what was pushed to the watched branch; an error
	// refuses the push.
	Verify func(ctx context.Context, s objects.Snapshot) (signer string, err error)
	// Inspect is the verdict: documents that cannot be read, the plan. An error
	// refuses the push; its lines are shown. say shows the pusher a line at once.
	Inspect func(ctx context.Context, s objects.Snapshot, o Options, say func(line string)) error
	// Landed is called once the watched branch has moved. With o.Wait it returns
	// when the revision is healthy, or an error when it is not; else at once. ctx
	// ends when the pusher goes away, which takes nothing back.
	Landed func(ctx context.Context, r objects.Revision, o Options, say func(line string)) error
	Log    *slog.Logger
}

// Server answers under /git/NAME. It is safe for concurrent use.
type Server struct {
	cfg  Config
	deps Deps
	busy map[string]chan struct{} // places, by service: who clones slowly keeps no push out
	did  counters
}

// New makes a server.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Authorize == nil {
		return nil, fault.New(fault.Internal, "a git server needs a repository and somebody who knows the tokens")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	busy := map[string]chan struct{}{upload: make(chan struct{}, cfg.AtOnce), receive: make(chan struct{}, cfg.AtOnce)}
	return &Server{cfg: cfg, deps: deps, busy: busy}, nil
}

const (
	upload  = "git-upload-pack"
	receive = "git-receive-pack"
)

// ServeHTTP answers one request of a git client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := s.serve(w, r); err != nil {
		s.refuse(w, err)
	}
}

// serve returns an error only while the answer has not begun.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	rest, ok := strings.CutPrefix(r.URL.Path, "/git/"+s.cfg.Name)
	if ok {
		rest = strings.TrimPrefix(rest, ".git")
	}
	if !ok || !strings.HasPrefix(rest, "/") {
		return fault.New(fault.NotFound, "there is no such repository; the one here is /git/%s", s.cfg.Name)
	}
	who, err := s.deps.Authorize(r)
	if err != nil {
		return err
	}
	service := strings.TrimPrefix(rest, "/")
	if rest == "/info/refs" {
		service = r.URL.Query().Get("service")
	}
	switch {
	case rest == "/info/refs" && service == "":
		return fault.New(fault.Forbidden, "the dumb protocol is not spoken here; use a git of this decade")
	case service != upload && service != receive:
		return fault.New(fault.NotFound, "there is no such thing in a repository")
	case service == upload && !who.Read:
		return fault.New(fault.Forbidden, "%s may not read this repository", who.Name)
	case service == receive && !who.Push:
		return fault.New(fault.Forbidden, "%s may not push", who.Name)
	}
	if rest == "/info/refs" {
		if r.Method != http.MethodGet {
			return fault.New(fault.Unsupported, "info/refs is read with GET")
		}
		return s.advertise(w, r, service)
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-"+service+"-request" {
		return fault.New(fault.Unsupported, "%s is a POST of application/x-%s-request", service, service)
	}
	release, err := s.enter(r.Context(), service)
	if err != nil {
		return err
	}
	defer release()
	body, err := inflated(r)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(s.cfg.Timeout)
	ctl := http.NewResponseController(w)
	// A server that cannot set deadlines keeps those it has.
	if err := errors.Join(ctl.SetReadDeadline(deadline), ctl.SetWriteDeadline(deadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fault.Wrap(fault.Internal, err, "no deadline can be set")
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-result")
	if service == upload {
		ctx, cancel := context.WithDeadline(r.Context(), deadline)
		defer cancel()
		return s.upload(ctx, w, r, body)
	}
	return s.receive(r.Context(), deadline, w, body, who, release)
}

// patience is how long a request waits for another to end.
const patience = 10 * time.Second

// enter waits for a place among those of a service. It is given back with
// release, once or more.
func (s *Server) enter(ctx context.Context, service string) (release func(), err error) {
	places := s.busy[service]
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-late.C:
		return nil, fault.New(fault.Exhausted, "%d requests for %s are under way", cap(places), service).After(time.Second)
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Cancelled, ctx.Err(), "the client went away")
	}
}

// inflated undoes gzip, which git uses for long lists of haves.
func inflated(r *http.Request) (io.Reader, error) {
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return r.Body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fault.New(fault.Invalid, "the body is not gzip, which its header says")
		}
		return z, nil
	}
	return nil, fault.New(fault.Unsupported, "bodies come plain or as gzip")
}

// refuse answers with a status and a line of text, which git shows.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	kind := fault.KindOf(err)
	if kind == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Basic realm="vigild: any name, and a token as the password", charset="UTF-8"`)
	}
	if kind == fault.Exhausted {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(kind.Status())
	text := err.Error()
	if !kind.Public() {
		text = s.hidden(err)
	}
	io.WriteString(w, text+"\n")
}

// hidden logs an error that is not for strangers, and is what they are told.
func (s *Server) hidden(err error, about ...any) string {
	s.deps.Log.Error("a git request failed", append(about, "err", err)...)
	if fault.KindOf(err) == fault.Corrupt {
		return "the repository of vigild is damaged, as its log says; restart vigild, which sets it aside and makes another, and push again"
	}
	return "something went wrong here; the log says what"
}
