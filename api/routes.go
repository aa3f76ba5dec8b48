package api

import (
	"net/http"

	"vigil/api/guard"
	"vigil/api/ingest"
	"vigil/api/query"
	"vigil/engine/fault"
)

// route is one line of the router.
type route struct {
	Method, Path string
	Permission   guard.Permission
	Text         bool // errors are plain text, as the protocol wants it
	Stream       bool // the handler bounds the body itself
	Git          bool // asked by git clients: Basic auth
	Lax          bool // asked by programs that others wrote: an unknown parameter is left alone
	query        query.Known
	Handler      http.HandlerFunc
}

// Route is a route as others may look at it.
type Route struct {
	Method, Path string
	Permission   guard.Permission
}

// Routes lists every route, for the authorization matrix and for `vigild routes`.
func (s *Server) Routes() []Route {
	out := make([]Route, len(s.routes))
	for i, r := range s.routes {
		out[i] = Route{r.Method, r.Path, r.Permission}
	}
	return out
}

// add puts a route into the router. It is the one way in: a route that declares
// no permission, or stands there twice, is an error and New fails.
func (s *Server) add(r route) error {
	pattern := r.Method + " " + r.Path
	switch {
	case r.Permission == guard.Undeclared:
		return fault.New(fault.Internal, "the route %s declares no permission", pattern)
	case s.byPath[pattern] != nil:
		return fault.New(fault.Internal, "the route %s is there twice", pattern)
	}
	s.routes = append(s.routes, r)
	kept := r
	s.byPath[pattern] = &kept
	s.mux.HandleFunc(pattern, r.Handler)
	return nil
}

// register fills the router: the plain routes below, then those of huma.
func (s *Server) register() error {
	plain := []route{
		{Method: "GET", Path: "/health", Permission: guard.Anyone, Lax: true, Handler: s.health("vigil")},
		{Method: "GET", Path: "/healthz", Permission: guard.Anyone, Lax: true, Handler: s.health("vigil")},
		{Method: "GET", Path: "/readyz", Permission: guard.Anyone, Lax: true, Handler: s.readyz},
		{Method: "GET", Path: "/api/v1/ingest/health", Permission: guard.Anyone, Lax: true, Handler: s.health("ingest")},
		{Method: "GET", Path: "/api/v1/actions/health", Permission: guard.Anyone, Lax: true, Handler: s.health("actions")},
		{Method: "GET", Path: s.cfg.MetricsPath, Permission: guard.Read, Lax: true, Handler: s.meter.ServeHTTP},

		{Method: "POST", Path: "/api/v1/ingest", Permission: guard.Ingest, Stream: true, Handler: s.taker(s.ingest.JSON, false)},
		{Method: "POST", Path: "/api/v1/ingest/agent/metrics", Permission: guard.Ingest, Stream: true, Handler: s.taker(s.ingest.Agent, false)},
		{Method: "POST", Path: "/api/v1/write", Permission: guard.Ingest, Stream: true, Text: true, Handler: s.taker(s.ingest.RemoteWrite, true)},

		{Method: "GET", Path: "/openapi.json", Permission: guard.Anyone, Lax: true, Handler: s.openapi},
	}
	plain = append(plain, s.pages()...)
	plain = append(plain, s.git()...)
	for _, r := range plain {
		if err := s.add(r); err != nil {
			return err
		}
	}
	return s.registerManaged()
}

// taker lets an ingest handler know its caller and writes its errors.
func (s *Server) taker(f func(http.ResponseWriter, *http.Request, ingest.Caller) error, text bool) http.HandlerFunc {
	rt := &route{Text: text}
	return func(w http.ResponseWriter, r *http.Request) {
		c := guard.From(r.Context())
		if err := f(w, r, ingest.Caller{Open: c.Open, Token: c.Token}); err != nil {
			s.fail(w, r, rt, err)
		}
	}
}
