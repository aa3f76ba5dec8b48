// Package api is HTTP in: the listeners, the front that every request passes,
// and the list of routes.
//
// A request is given an id, counted, checked for host and origin, matched to a
// route, and let through the door (api/guard) by the permission its route
// declares; only then does a handler see it: those of api/manage through huma,
// those of api/ingest straight. Whatever goes wrong is written by one function
// as problem+json.
//
// It refuses a route without a permission (New fails), a public address with
// auth "open", requests for foreign hosts and from foreign pages, and unbounded
// anything: headers, bodies, connections, time. A panic ends its request with
// 500 and nothing else.
//
// New starts nothing; Listen binds; Run serves until its context ends, then
// stops accepting, lets running requests end within Config.Drain, and closes
// the rest.
package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"vigil/api/desired"
	"vigil/api/guard"
	"vigil/api/ingest"
	"vigil/api/listen"
	"vigil/api/manage"
	"vigil/api/meter"
	"vigil/api/policies"
	"vigil/api/replay"
	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/check"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Engine is what the HTTP face asks of the engine.
type Engine interface {
	ingest.Sink
	policies.Engine
	manage.Engine
}

// Samples is what is read back of the time-series store.
type Samples = manage.Samples

// Reader is what is read back of the ledger.
type Reader = engine.Reader

// Tokens is where tokens lie.
type Tokens = guard.Tokens

// Deps is what the server needs from others. Ready, Stats and Log may be nil.
type Deps struct {
	Engine  Engine
	Reader  Reader
	Samples Samples
	Tokens  Tokens
	Fixed   []engine.Token // tokens of the local config
	Clock   clock.Clock
	Log     *slog.Logger
	Version string
	Node    string // the host's name for people

	Deferred bool // samples are answered before they are on disk: [store] durability = "interval"

	// Ready says why the daemon cannot serve yet, and what of it is degraded.
	Ready func() (reasons, degraded []string)
	// Stats are the other rooms' figures, for /metrics.
	Stats []meter.Source
	// Checks is how vigild's own checks stand; nil: there are none.
	Checks func() []check.CheckStats
	// Reload reads the policy folders again and says how many policies there are.
	Reload func(ctx context.Context, actor string) (policies int, err error)
	// Backup copies the stores into a folder that it makes; nil: not here.
	Backup func(ctx context.Context, dir string) error
	// Confirm takes the word of actor that the wall clock is right; nil: not here.
	Confirm func(ctx context.Context, actor string) error
	// Prune removes the audit records up to one that an export holds; nil: not here.
	Prune func(ctx context.Context, actor string, upto audit.Head) error
	// Verify walks the audit chain between its two ends, which it knows, and tells
	// how many records were good so far; Corrupt: it is broken. nil: not here.
	Verify func(ctx context.Context, progress func(n int64)) (audit.Head, error)

	// Catalogue lists what can be named as an action; nil: not here.
	Catalogue func() []engine.ActionView

	// Git answers git clients under /git/; nil: there is no repository here.
	// guard.From tells it who asks: a push of somebody who may not never gets there.
	Git     http.Handler
	GitName string // of the repository: /git/NAME
	// Webhook answers POST /api/v1/git/webhook and knows by its signature who
	// asks; nil: there is none.
	Webhook http.Handler

	Replays engine.Replays // keeps answers for Idempotency-Keys over restarts; nil: only while this server lives

	// The desired state; nil where git is off, and then its routes answer 501.
	Desired       engine.Desired
	DesiredReader engine.DesiredReader
	Reverse       engine.Reverse
}

// Server is the HTTP face.
type Server struct {
	cfg   Config
	deps  Deps
	log   *slog.Logger
	clock clock.Clock

	door    *guard.Door
	live    atomic.Pointer[live]
	limits  *guard.Limiter
	meter   *meter.Meter
	ingest  *ingest.Handler
	manage  *manage.Manage
	rules   *policies.Policies
	desired *desired.Desired
	replays *replay.Memory

	mux    *http.ServeMux
	routes []route
	byPath map[string]*route // by ServeMux pattern
	spec   []byte            // openapi.json

	started clock.Stamp
	on      atomic.Pointer[listen.Listeners]
	stopped atomic.Bool
}

// New makes a server and checks its routes; it binds and starts nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Ready == nil {
		d.Ready = func() (reasons, degraded []string) { return nil, nil }
	}
	keys, err := guard.NewKeyring(d.Tokens, d.Fixed, d.Clock)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, deps: d, log: d.Log, clock: d.Clock, started: d.Clock(),
		door:   guard.NewDoor(guard.Mode(cfg.Auth), keys, os.Geteuid(), d.Clock),
		limits: guard.NewLimiter(d.Clock, 10_000),
		mux:    http.NewServeMux(), byPath: map[string]*route{},
	}
	if s.replays, err = replay.New(d.Clock, d.Replays, d.Log); err != nil {
		return nil, err
	}
	s.live.Store(liveOf(cfg))
	if s.ingest, err = ingest.New(cfg.Ingest, ingest.Deps{Sink: d.Engine, Deferred: d.Deferred, Now: func() int64 { return d.Clock().Millis() }}); err != nil {
		return nil, err
	}
	s.manage = manage.New(manage.Deps{
		Engine: d.Engine, Reader: d.Reader, Samples: d.Samples, Keys: keys, Clock: d.Clock, Log: d.Log,
		Version: d.Version, Node: d.Node, Auth: cfg.Auth, Started: s.started,
		Ready: s.ready, Ingested: func() uint64 { return s.ingest.Stats().Samples }, Backup: d.Backup, Confirm: d.Confirm, Checks: d.Checks,
		Prune: d.Prune, Verify: d.Verify, Catalogue: d.Catalogue,
	})
	s.rules = policies.New(policies.Deps{Engine: d.Engine, Ready: s.ready, Reload: d.Reload, Clock: d.Clock})
	s.desired = desired.New(desired.Deps{Desired: d.Desired, Reader: d.DesiredReader, Reverse: d.Reverse})
	s.meter = meter.New(d.Version, append([]meter.Source{s.own, s.manage.Measure}, d.Stats...))
	if err := s.register(); err != nil {
		return nil, err
	}
	return s, nil
}

// live is what may change while the server runs.
type live struct {
	origins guard.Origins
	rate    RateLimit
}

func liveOf(c Config) *live {
	return &live{guard.Origins{Hosts: c.AllowedHosts, Allowed: c.AllowedOrigins}, c.RateLimit}
}

// Adopt puts the part of another configuration in force that needs no restart:
// rate_limit, allowed_hosts, allowed_origins and the tokens of the local config.
// On an error nothing has changed.
func (s *Server) Adopt(ctx context.Context, cfg Config, fixed []engine.Token) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if err := s.door.Keys.Adopt(ctx, fixed); err != nil {
		return err
	}
	s.live.Store(liveOf(cfg))
	return nil
}

// ready is the daemon's word, and that the server is not stopping.
func (s *Server) ready() (reasons, degraded []string) {
	reasons, degraded = s.deps.Ready()
	if s.stopped.Load() {
		reasons = append(reasons, "stopping")
	}
	return reasons, degraded
}

// Addr is where the TCP listener is bound, nil before Listen or without one.
func (s *Server) Addr() net.Addr {
	if on := s.on.Load(); on != nil && on.TCP != nil {
		return on.TCP.Addr()
	}
	return nil
}

// Socket is the path of the Unix socket, "" before Listen or without one.
func (s *Server) Socket() string {
	if on := s.on.Load(); on != nil {
		return on.Socket
	}
	return ""
}

// Keys is the tokens, for the daemon's first start.
func (s *Server) Keys() *guard.Keyring { return s.door.Keys }

// Listen loads the tokens and binds the listeners, so that Addr and Socket tell
// where. It is called once; Run calls it when nobody has.
func (s *Server) Listen(ctx context.Context) error {
	if s.on.Load() != nil {
		return nil
	}
	if err := s.door.Keys.Load(ctx); err != nil {
		return err
	}
	c := s.cfg
	if c.TLS == SelfTLS && c.Listen != Off {
		var err error
		if c.TLSCert, c.TLSKey, err = listen.SelfMade(filepath.Join(c.DataDir, "tls"), listen.SelfNames(c.AllowedHosts), s.clock().Time()); err != nil {
			return err
		}
	}
	on, err := listen.Open(listen.Config{Address: c.Listen, Socket: c.Socket, Cert: c.TLSCert, Key: c.TLSKey,
		All: c.Connections, PerAddress: c.ConnectionsPerAddress})
	if err != nil {
		return err
	}
	s.on.Store(on)
	s.announce(on)
	return nil
}

// announce says what is open, once: an open door is never a silent one.
func (s *Server) announce(on *listen.Listeners) {
	if on.TCP != nil {
		address := on.TCP.Addr().String()
		s.log.Info("listening", "address", address, "auth", s.cfg.Auth, "tls", on.TLS())
		if s.cfg.TLS == SelfTLS {
			pin := "sha256//" + on.Pin()
			say := []any{"pin", pin, "certificate", filepath.Join(s.cfg.DataDir, "tls", listen.CertFile)}
			if s.deps.Git != nil {
				say = append(say, "git", "git clone -c http.sslVerify=false -c http.pinnedPubkey="+pin+" https://NAME:TOKEN@"+listen.Reach(address)+"/git/"+s.deps.GitName)
			}
			s.log.Info("the certificate is self-made", say...)
		}
		if guard.Mode(s.cfg.Auth) == guard.OpenMode {
			s.log.Warn("auth is open: every program on this host may change everything", "address", address)
		}
		if !on.TLS() && !loopback(address) {
			s.log.Warn("tokens cross the network in clear text: there is no TLS", "address", address)
		}
	}
	if on.Unix != nil {
		s.log.Info("listening", "socket", on.Socket)
	}
}

// Run serves until ctx ends. It returns when every request has ended or was cut.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	on := s.on.Load()
	defer on.Close()
	srv := s.server()
	failed := make(chan error, 2)
	serving := 0
	for _, l := range on.All() {
		serving++
		go func() { failed <- srv.Serve(l) }() // ends with Shutdown or Close below
	}
	watching := make(chan struct{})
	watch, stop := context.WithCancel(ctx)
	go func() { defer close(watching); s.manage.Run(watch) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		serving--
		err = fault.Wrap(fault.Unavailable, err, "the HTTP listener stopped")
	}
	s.stopped.Store(true)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Drain.Std())
	defer cancel()
	if srv.Shutdown(drain) != nil {
		s.log.Warn("requests were cut at the end of the drain time", "drain", s.cfg.Drain.String())
		_ = srv.Close()
	}
	for range serving {
		<-failed
	}
	stop()
	<-watching
	return err
}

func (s *Server) server() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.front),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       s.cfg.ReadTimeout.Std(),
		WriteTimeout:      s.cfg.WriteTimeout.Std(),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext:       listen.WithPeer,
		Protocols:         http1(),
	}
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}
