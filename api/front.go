package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"vigil/api/guard"
	"vigil/api/listen"
	"vigil/api/problem"
	"vigil/engine/fault"
)

// front is what every request passes, in this order.
func (s *Server) front(w0 http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	w := &writer{ResponseWriter: w0}
	id := requestID(r)
	w.Header()["X-Request-Id"] = []string{id}
	w.Header()["X-Content-Type-Options"] = nosniff
	endpoint := "unmatched"
	defer func() {
		if v := recover(); v != nil {
			s.recovered(w, r, v, id)
		}
		s.meter.Request(r.Method, endpoint, w.status, time.Since(begin))
	}()

	p := listen.Peer(r)
	if !p.Unix {
		if err := s.live.Load().origins.Host(r); err != nil {
			s.fail(w, r, nil, err)
			return
		}
		cors, err := s.live.Load().origins.Origin(r)
		if err != nil {
			s.fail(w, r, nil, err)
			return
		}
		if cors != "" && s.cors(w, r, cors) {
			return
		}
	}
	rt := s.match(w, r)
	if rt == nil {
		return
	}
	endpoint = rt.Path
	admit, challenge := s.door.Admit, `Bearer realm="vigil"`
	if rt.Git {
		admit, challenge = s.door.AdmitGit, `Basic realm="vigil: any name, and a token as the password", charset="UTF-8"`
	}
	caller, err := admit(r, p, rt.Permission)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		s.fail(w, r, rt, err)
		return
	}
	if err := s.limit(w, r, rt, caller); err != nil {
		s.fail(w, r, rt, err)
		return
	}
	if r.URL.RawQuery != "" && !rt.Lax {
		if err := rt.query.Check(r.URL.RawQuery); err != nil {
			s.fail(w, r, rt, err)
			return
		}
	}
	if !rt.Stream && r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, s.cfg.MaxBody)
	}
	r = r.WithContext(guard.With(r.Context(), caller))
	if key := r.Header.Get("Idempotency-Key"); key != "" && r.Method == http.MethodPost && !rt.Stream {
		if len(key) > 255 || !printable(key) {
			err = fault.New(fault.Invalid, "the Idempotency-Key is not 1 to 255 printable characters")
		} else {
			err = s.replays.Serve(w, r, caller.Actor, key, s.mux.ServeHTTP)
		}
		if err != nil {
			s.fail(w, r, rt, err)
		}
		return
	}
	s.mux.ServeHTTP(w, r)
}

var nosniff = []string{"nosniff"}

// requestID echoes the request's id when it is harmless, else makes a UUIDv4.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-ID"); id != "" && len(id) <= 128 && printable(id) {
		return id
	}
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	for i, at := range [...][3]int{{0, 4, 0}, {4, 6, 9}, {6, 8, 14}, {8, 10, 19}, {10, 16, 24}} {
		if i > 0 {
			out[at[2]-1] = '-'
		}
		hex.Encode(out[at[2]:], b[at[0]:at[1]])
	}
	return string(out[:])
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cors answers for an allowed origin; done is true for a preflight.
func (s *Server) cors(w http.ResponseWriter, r *http.Request, origin string) (done bool) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, ETag")
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-ID, Idempotency-Key, If-Match")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("OK"))
	return true
}

// match finds the route, or answers why there is none: 307 for a slash too
// many, 405 with Allow, 404.
func (s *Server) match(w http.ResponseWriter, r *http.Request) *route {
	_, pattern := s.mux.Handler(r)
	if rt := s.byPath[pattern]; rt != nil {
		return rt
	}
	if p := r.URL.Path; len(p) > 1 && strings.HasSuffix(p, "/") {
		u := *r.URL
		u.Path, u.RawPath = strings.TrimRight(p, "/"), ""
		probe := &http.Request{Method: r.Method, URL: &u, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); s.byPath[pattern] != nil && u.Path != "" {
			w.Header().Set("Location", u.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return nil
		}
	}
	if allow := s.allowed(r); allow != "" {
		w.Header().Set("Allow", allow)
		p := problem.New(fault.Unsupported, "Method Not Allowed")
		p.Status, p.Title = http.StatusMethodNotAllowed, "Method Not Allowed"
		problem.Write(w, r, p)
		return nil
	}
	p := problem.New(fault.NotFound, "Not Found")
	p.Title = "404 page not found" // the words that some dashboards look for
	problem.Write(w, r, p)
	return nil
}

// allowed lists the methods that this path has, "" when it has none.
func (s *Server) allowed(r *http.Request) string {
	var out []string
	for _, m := range [...]string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); s.byPath[pattern] != nil {
			out = append(out, m)
		}
	}
	return strings.Join(out, ", ")
}

// limit counts the request, sets the headers of the original, and says when it
// is one too many.
func (s *Server) limit(w http.ResponseWriter, r *http.Request, rt *route, c guard.Caller) error {
	l := s.live.Load().rate
	if !l.Enabled || c.Local || rt.Permission == guard.Anyone && !rt.Stream {
		return nil
	}
	who, class, n := "t:"+c.Token, "r", l.Requests
	if c.Token == "" {
		who = "a:" + listen.Key(r)
	}
	switch {
	case rt.Permission == guard.Ingest:
		class, n = "i", l.IngestRequests
	case strings.HasPrefix(rt.Path, "/api/v1/actions"):
		class, n = "a", l.ActionsRequests
	}
	v := s.limits.Take(class+who, n, l.Period.Std())
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(v.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(v.Remaining))
	h.Set("X-RateLimit-Reset", strconv.Itoa(problem.Seconds(v.Reset)))
	if !v.OK {
		return fault.New(fault.Exhausted, "Rate limit exceeded").After(v.Reset)
	}
	return nil
}

// fail writes an error, in the way its route speaks, and logs what it hides.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, rt *route, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		err = fault.New(fault.Cancelled, "the request was cancelled")
	}
	p, hidden := problem.From(err)
	if hidden {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "request_id", w.Header().Get("X-Request-Id"), "error", err)
	}
	if rt != nil && rt.Text {
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
		}
		http.Error(w, p.Detail, p.Status)
		return
	}
	problem.Write(w, r, p)
}

// recovered turns a handler's panic into a 500, when nothing was said yet.
func (s *Server) recovered(w *writer, r *http.Request, v any, id string) {
	if v == http.ErrAbortHandler || r.Context().Err() != nil {
		return // the client went away in the middle of an answer
	}
	s.log.Error("a handler panicked", "method", r.Method, "path", r.URL.Path, "request_id", id, "panic", v, "stack", string(debug.Stack()))
	s.meter.Panicked()
	if w.status == 0 {
		problem.Write(w, r, problem.New(fault.Internal, "Internal server error"))
	}
}

// writer remembers the status of an answer.
type writer struct {
	http.ResponseWriter
	status int
}

func (w *writer) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
