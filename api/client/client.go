// Package client is the HTTP face from the other side: one method a route, with
// the types of api/contract.
//
// It speaks over the Unix socket, or over TCP with a token. What failed comes
// back as an error of engine/fault with the server's kind, text, place and
// hint, so that a command's exit code is the one that the same failure would
// have had at home. A call that can be repeated without harm is, a few times
// with growing waits, when the connection broke or the server asks for
// patience; a POST carries an Idempotency-Key for that. Where nobody answers at
// all the call fails at once.
//
// It refuses redirects, answers beyond 64 MiB, and to guess: without an address
// New fails. It starts nothing; a Client may be used concurrently.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"vigil/api/contract"
	"vigil/api/problem"
	"vigil/engine/fault"
)

// Config says where the server is. URL wins over Socket; with both empty it is
// the socket at its usual place.
type Config struct {
	Socket  string        // path of the Unix socket
	URL     string        // http://host:port
	Token   string        // for TCP
	Timeout time.Duration // of one call, waits included; 0 is 15 s
	Tries   uint          // of one call; 0 is 4
	Agent   string        // User-Agent; "" is vigil-client
}

// Client speaks to one server.
type Client struct {
	cfg   Config
	base  string
	where string // for people
	http  *http.Client
}

// maxAnswer bounds what is read of one answer; exports are streamed instead.
const maxAnswer = 64 << 20

// New makes a client; it connects with the first call.
func New(cfg Config) (*Client, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.Tries == 0 {
		cfg.Tries = 4
	}
	if cfg.Agent == "" {
		cfg.Agent = "vigil-client"
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
	c := &Client{cfg: cfg, http: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if cfg.URL != "" {
		u, err := url.Parse(cfg.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return nil, fault.New(fault.Usage, "%q is not the address of a server", cfg.URL).Mend("write http://host:port")
		}
		c.base, c.where = strings.TrimRight(cfg.URL, "/"), u.Host
		return c, nil
	}
	path := contract.SocketPath(cfg.Socket)
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	c.base, c.where = "http://vigil", path
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Where is the socket's path or the server's address, for messages.
func (c *Client) Where() string { return c.where }

// call is one request, before it is sent.
type call struct {
	method, path string
	query        url.Values
	body         any // nil, []byte as it is, or a value that becomes JSON
	media        string
	header       http.Header
	once         bool // never sent again after it may have arrived
}

// do sends a call, as often as is right, and reads the answer into out (nil: not
// read; *[]byte: as it is).
func (c *Client) do(ctx context.Context, k call, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	raw, err := k.encode()
	if err != nil {
		return err
	}
	if k.method == http.MethodPost && !k.once {
		if k.header == nil {
			k.header = http.Header{}
		}
		k.header.Set("Idempotency-Key", key())
	}
	body, err := backoff.Retry(ctx, func() ([]byte, error) { return c.try(ctx, k, raw) },
		backoff.WithBackOff(&backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 3, MaxInterval: 3 * time.Second}),
		backoff.WithMaxTries(c.cfg.Tries), backoff.WithMaxElapsedTime(c.cfg.Timeout))
	if err != nil {
		var p *backoff.PermanentError
		if errors.As(err, &p) {
			err = p.Err
		}
		return c.explain(ctx, err)
	}
	switch out := out.(type) {
	case nil:
	case *[]byte:
		*out = body
	default:
		if err := json.Unmarshal(body, out); err != nil {
			return fault.New(fault.Internal, "%s answered something that cannot be read", c.where).Mend("are both of one version?")
		}
	}
	return nil
}

func (k call) encode() ([]byte, error) {
	switch b := k.body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	default:
		raw, err := json.Marshal(b)
		return raw, fault.Wrap(fault.Invalid, err, "the request cannot be written as JSON")
	}
}

// try sends a call once. Errors that another try may mend are returned bare,
// others as permanent.
func (c *Client) try(ctx context.Context, k call, raw []byte) ([]byte, error) {
	resp, err := c.send(ctx, k, raw)
	if err != nil {
		var op *net.OpError
		var stranger *tls.CertificateVerificationError
		if k.once || errors.As(err, &op) && op.Op == "dial" || errors.As(err, &stranger) { // a person wants to know at once
			return nil, backoff.Permanent(err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		if k.once {
			return nil, backoff.Permanent(err)
		}
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, backoff.Permanent(fault.New(fault.TooLarge, "%s answered over %d bytes", c.where, maxAnswer))
	}
	if resp.StatusCode < 300 {
		return body, nil
	}
	ferr := Fault(resp.StatusCode, resp.Header, body)
	if !ferr.Kind.Retry() || ferr.RetryAfter > 5*time.Second {
		return nil, backoff.Permanent(ferr)
	}
	if ferr.RetryAfter > 0 {
		return nil, errors.Join(ferr, backoff.RetryAfter(problem.Seconds(ferr.RetryAfter)))
	}
	return nil, ferr
}

func (c *Client) send(ctx context.Context, k call, raw []byte) (*http.Response, error) {
	u := c.base + k.path
	if len(k.query) > 0 {
		u += "?" + k.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, k.method, u, bytes.NewReader(raw))
	if err != nil {
		return nil, backoff.Permanent(fault.Wrap(fault.Usage, err, "the request cannot be made"))
	}
	for name, vs := range k.header {
		r.Header[name] = vs
	}
	r.Header.Set("User-Agent", c.cfg.Agent)
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
		if k.media != "" {
			r.Header.Set("Content-Type", k.media)
		}
	}
	if c.cfg.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	return c.http.Do(r)
}

// explain gives an error of the network the words and the kind that people and
// exit codes need.
func (c *Client) explain(ctx context.Context, err error) error {
	var fe *fault.Error
	if errors.As(err, &fe) {
		return fe
	}
	var op *net.OpError
	var stranger *tls.CertificateVerificationError
	var elsewhere x509.HostnameError
	switch {
	case errors.As(err, &stranger) && errors.As(err, &elsewhere):
		return fault.New(fault.Unavailable, "the certificate of %s is for other names: %v", c.where, stranger.Err).
			Mend("call it by one of them; one that vigild made is made anew at its start, for the addresses of then")
	case errors.As(err, &stranger):
		return fault.New(fault.Unavailable, "the certificate of %s is not trusted: %v", c.where, stranger.Err).
			Mend("for one of your own, put the PEM file of its authority into SSL_CERT_FILE")
	case errors.As(err, &op) && op.Op == "dial":
		return fault.New(fault.Unavailable, "vigild does not answer on %s", c.where).Mend("is it running? `vigild run` starts it")
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Cancelled, "the call to %s was cancelled", c.where)
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "%s did not answer in %s", c.where, c.cfg.Timeout)
	}
	return fault.Wrap(fault.Unavailable, err, "the call to %s failed", c.where)
}

// Fault turns an error answer into the error it was on the other side.
func Fault(status int, h http.Header, body []byte) *fault.Error {
	e := fault.New(kindOf(status), "%s", http.StatusText(status))
	var p problem.Problem
	if json.Unmarshal(body, &p) == nil && p.Detail != "" {
		e.Msg, e.Place, e.Hint = p.Detail, "", p.Hint
		if len(p.Errors) > 0 { // people typed no body and know no "Value error"
			e.Msg = plain(p.Errors)
		}
		// The text already holds place and hint, as people read it.
		if p.Hint != "" && strings.Contains(p.Detail, p.Hint) {
			e.Hint = ""
		}
		for k := fault.OK; k <= fault.Usage; k++ {
			if k.String() == p.Kind {
				e.Kind = k
			}
		}
	} else if text := strings.TrimSpace(string(body)); text != "" && len(text) < 500 {
		e.Msg = text
	}
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	return e
}

// plain is the faults of a request without the words of the wire.
func plain(ds []problem.Detail) string {
	said := make([]string, len(ds))
	for i, d := range ds {
		d.Msg = strings.TrimPrefix(d.Msg, "Value error, ")
		if len(d.Loc) > 1 {
			d.Loc = d.Loc[1:]
		}
		said[i] = d.String()
	}
	return strings.Join(said, "; ")
}

// kindOf is the first kind with a status, for answers that name none.
func kindOf(status int) fault.Kind {
	for k := fault.Invalid; k <= fault.Usage; k++ {
		if k.Status() == status {
			return k
		}
	}
	if status >= 500 {
		return fault.Unavailable
	}
	return fault.Invalid
}

func key() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// get, put, post and remove are the four shapes that nearly all calls have.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (out T, err error) {
	return out, c.do(ctx, call{method: "GET", path: path, query: query}, &out)
}

func put[T any](ctx context.Context, c *Client, path string, body any, h http.Header) (out T, err error) {
	return out, c.do(ctx, call{method: "PUT", path: path, body: body, header: h}, &out)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (out T, err error) {
	return out, c.do(ctx, call{method: "POST", path: path, body: body}, &out)
}

func remove[T any](ctx context.Context, c *Client, path string) (out T, err error) {
	return out, c.do(ctx, call{method: "DELETE", path: path}, &out)
}

// values makes a query of names and values in turn; empty values are left out.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
