package probe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"vigil/engine/check/web"
	"vigil/engine/series"
)

// HTTP asks for one page and looks at the answer.
type HTTP struct {
	URL        string            `yaml:"url"`
	Method     string            `yaml:"method"`  // default GET
	Headers    map[string]string `yaml:"headers"` // a value file:/path or env:NAME is a secret; "Bearer file:/path" too
	Body       string            `yaml:"body"`
	Host       string            `yaml:"host"`        // the Host header, where it is not the URL's
	UnixSocket string            `yaml:"unix_socket"` // connect there instead
	Status     []string          `yaml:"status"`      // "200", "2xx", "200-299"; default 2xx
	Match      string            `yaml:"match"`       // regular expression that the body must hold
	NoMatch    string            `yaml:"no_match"`    // regular expression that it must not hold
	Redirects  *int              `yaml:"redirects"`   // how many are followed, default 5
	CA         string            `yaml:"ca"`          // reference to a PEM file of authorities, default the system's
	Insecure   bool              `yaml:"insecure"`    // do not verify the certificate
}

// The bounds of a request.
const (
	defaultRedirects = 5
	maxRedirects     = 20
	maxBody          = 1 << 20
)

// Build is described at Params.
func (p *HTTP) Build(s *Site) Check {
	c := &httpCheck{HTTP: *p, site: s, redirects: defaultRedirects,
		status: s.metric(nameHTTPStatus), took: s.metric(nameHTTPTime), size: s.metric(nameHTTPBody),
		hops: s.metric(nameHTTPHops), days: s.metric(nameTLSDays), matched: s.metric(nameHTTPMatch)}
	for i, name := range web.PhaseNames {
		c.phase[i] = s.metric(nameHTTPPhase, "phase", name)
	}
	s.wrong("url", web.CheckURL(p.URL))
	if c.Method == "" {
		c.Method = http.MethodGet
	}
	if c.Method != strings.ToUpper(c.Method) || strings.ContainsFunc(c.Method, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		s.bad("method", "%q is no method", p.Method)
	}
	s.wrong("ca", web.CheckTrust(p.CA, p.Insecure))
	s.wrong("headers", web.CheckHeaders(p.Headers))
	if len(p.Body) > maxBody {
		s.bad("body", "longer than %d bytes", maxBody)
	}
	if p.UnixSocket != "" && !strings.HasPrefix(p.UnixSocket, "/") {
		s.bad("unix_socket", "%q is not an absolute path", p.UnixSocket)
	}
	if p.Redirects != nil {
		if c.redirects = *p.Redirects; c.redirects < 0 || c.redirects > maxRedirects {
			s.bad("redirects", "%d is out of range: 0 to %d", c.redirects, maxRedirects)
		}
	}
	ranges := p.Status
	if len(ranges) == 0 {
		ranges = []string{"2xx"}
	}
	for _, t := range ranges {
		r, err := parseStatus(t)
		if err != nil {
			s.bad("status", "%v", err)
		}
		c.accept = append(c.accept, r)
	}
	var err error
	if p.Match != "" {
		if c.match, err = regexp.Compile(p.Match); err != nil {
			s.bad("match", "not a regular expression: %v", err)
		}
	}
	if p.NoMatch != "" {
		if c.noMatch, err = regexp.Compile(p.NoMatch); err != nil {
			s.bad("no_match", "not a regular expression: %v", err)
		}
	}
	return c
}

// statusRange is an inclusive range of status codes.
type statusRange struct{ from, to int }

func parseStatus(t string) (r statusRange, err error) {
	if len(t) == 3 && strings.EqualFold(t[1:], "xx") && t[0] >= '1' && t[0] <= '5' {
		return statusRange{int(t[0]-'0') * 100, int(t[0]-'0')*100 + 99}, nil
	}
	if n, err := fmt.Sscanf(t, "%d-%d", &r.from, &r.to); err != nil || n != 2 {
		n, err := fmt.Sscanf(t, "%d", &r.from)
		if r.to = r.from; err != nil || n != 1 || fmt.Sprint(r.from) != t {
			return r, fmt.Errorf("%q is no status: expected such as 200, 2xx, 200-299", t)
		}
	}
	if r.from < 100 || r.to > 599 || r.from > r.to {
		return r, fmt.Errorf("%q is out of range: 100 to 599", t)
	}
	return r, nil
}

type httpCheck struct {
	HTTP
	site           *Site
	redirects      int
	accept         []statusRange
	match, noMatch *regexp.Regexp

	status, took, size, hops, days, matched series.Labels
	phase                                   [len(web.PhaseNames)]series.Labels
}

func (c *httpCheck) Collect(ctx context.Context, emit Emit) error {
	var w web.Watch
	trust, err := web.TrustIn(c.CA, c.Insecure, c.site.Deps.Secret)
	if err != nil {
		return err
	}
	client := web.NewClient(&w, c.UnixSocket, trust)
	hops := 0
	leave := web.LeaveSecrets(c.Headers, c.redirects)
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > c.redirects {
			return http.ErrUseLastResponse
		}
		hops = len(via)
		return leave(next, via)
	}
	req, err := http.NewRequestWithContext(w.Follow(ctx), c.Method, c.URL, strings.NewReader(c.Body))
	if err != nil {
		return err
	}
	if err := web.SetHeaders(req, c.Headers, c.site.Deps.Secret); err != nil {
		return err
	}
	if c.Host != "" {
		req.Host = c.Host
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		c.tell(emit, &w, time.Time{})
		return down("%s", web.PlainError(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.site.MaxOutput)))
	end := time.Now()
	c.tell(emit, &w, end)
	emit(c.status, float64(resp.StatusCode))
	emit(c.hops, float64(hops))
	emit(c.size, float64(len(body)))
	if err != nil {
		return down("the answer broke off after %d bytes: %v", len(body), web.PlainError(err))
	}
	emit(c.took, end.Sub(began).Seconds())
	return c.judge(emit, resp.StatusCode, body)
}

// tell emits how long each phase took, as far as it came.
func (c *httpCheck) tell(emit Emit, w *web.Watch, end time.Time) {
	for i, d := range w.Phases(end) {
		if d >= 0 {
			emit(c.phase[i], d.Seconds())
		}
	}
	if peer := w.Certificate(); peer != nil {
		emit(c.days, web.DaysLeft(peer))
	}
}

func (c *httpCheck) judge(emit Emit, status int, body []byte) error {
	if c.match != nil || c.noMatch != nil {
		ok := (c.match == nil || c.match.Match(body)) && (c.noMatch == nil || !c.noMatch.Match(body))
		emit(c.matched, boolean(ok))
		if !ok && c.accepts(status) {
			return down("status %d, but the body is not what was asked for: %s", status, excerpt(body))
		}
	}
	if !c.accepts(status) {
		return down("status %d", status)
	}
	return nil
}

func (c *httpCheck) accepts(status int) bool {
	return slices.ContainsFunc(c.accept, func(r statusRange) bool { return status >= r.from && status <= r.to })
}
