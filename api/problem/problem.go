// Package problem is what went wrong, as the wire tells it: RFC 9457 bodies
// (application/problem+json) that carry the original contract's fields too.
//
// Every error that leaves the HTTP face passes through [From], which asks the
// one table in engine/fault for the status and for whether the text may be
// shown; what may not be shown is replaced, so an internal error tells a
// stranger nothing but the request id. `detail` is always one string; when the
// request was readable but wrong, `errors` lists each fault with its type, its
// place in the request, its message and what was given.
//
// It refuses logging (the caller logs what it hides), state and I/O but the one
// write of [Write]. Everything in it is safe for concurrent use.
package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vigil/engine/fault"
)

// ContentType is the media type of every error body.
const ContentType = "application/problem+json"

// Problem is one error body. Error and RetryAfter repeat what the original
// answered for 429 and 500, so that its clients find them.
type Problem struct {
	Type       string   `json:"type" doc:"A URI that names the kind of problem" example:"about:blank"`
	Title      string   `json:"title" doc:"The status in words" example:"Not Found"`
	Status     int      `json:"status" doc:"The HTTP status" example:"404"`
	Detail     string   `json:"detail" doc:"What went wrong, for people" example:"Action with id 7 not found"`
	Kind       string   `json:"kind" doc:"The stable word of engine/fault for this failure" example:"not_found"`
	Place      string   `json:"place,omitempty" doc:"Where: a file position, a field, a flag"`
	Hint       string   `json:"hint,omitempty" doc:"How to mend it"`
	Instance   string   `json:"instance,omitempty" doc:"The path that was asked"`
	RequestID  string   `json:"request_id,omitempty" doc:"The X-Request-ID of this answer"`
	Error_     string   `json:"error,omitempty" doc:"The original's words for 429 and 500"`
	RetryAfter int      `json:"retry_after,omitempty" doc:"Seconds to wait before trying again"`
	Errors     []Detail `json:"errors,omitempty" doc:"Each fault of a request that could be read"`
}

// Detail is one fault of a request. Loc begins with "body", "query" or "path".
type Detail struct {
	Type  string         `json:"type" example:"missing"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg" example:"Field required"`
	Input any            `json:"input"`
	Ctx   map[string]any `json:"ctx,omitempty"`
}

// Invalid is the faults of one request, as an error: 422.
type Invalid []Detail

func (v Invalid) Error() string {
	parts := make([]string, 0, min(len(v), 8))
	for i, d := range v {
		if i == 7 && len(v) > 8 {
			parts = append(parts, "and "+strconv.Itoa(len(v)-i)+" more")
			break
		}
		parts = append(parts, d.String())
	}
	return strings.Join(parts, "; ")
}

// String is the detail in one line: `body.name: Field required`.
func (d Detail) String() string {
	if len(d.Loc) == 0 {
		return d.Msg
	}
	var b strings.Builder
	for i, l := range d.Loc {
		if i > 0 {
			b.WriteByte('.')
		}
		switch l := l.(type) {
		case string:
			b.WriteString(l)
		case int:
			b.WriteString(strconv.Itoa(l))
		}
	}
	return b.String() + ": " + d.Msg
}

// Value makes the detail of a rule that the schema cannot say, in the words the
// original's validators used.
func Value(msg string, input any, loc ...any) Detail {
	return Detail{Type: "value_error", Loc: loc, Msg: "Value error, " + msg, Input: input}
}

// Error makes a Problem an error, so that handlers can return one.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status; huma asks for it by this name.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType keeps huma from calling a problem plain JSON.
func (p *Problem) ContentType(string) string { return ContentType }

// From turns any error into a problem. hidden is true when err's text was
// replaced because its kind is not for strangers: the caller then logs it.
func From(err error) (p *Problem, hidden bool) {
	if errors.As(err, &p) {
		return p, false
	}
	var inv Invalid
	if errors.As(err, &inv) {
		p = New(fault.Unprocessable, inv.Error())
		p.Errors = inv
		return p, false
	}
	var issues fault.Issues
	if errors.As(err, &issues) {
		p = New(fault.Unprocessable, issues.Error())
		for _, i := range issues {
			place := i.Place
			i.Place = "" // loc says it, and a text that says it too is read twice
			p.Errors = append(p.Errors, Value(i.String(), nil, "body", place))
		}
		return p, false
	}
	kind := fault.KindOf(err)
	if !kind.Public() {
		return New(kind, "Internal server error"), true
	}
	p = New(kind, err.Error())
	var fe *fault.Error
	if errors.As(err, &fe) {
		p.Place, p.Hint = fe.Place, fe.Hint
		if fe.RetryAfter > 0 {
			p.RetryAfter = Seconds(fe.RetryAfter)
		}
	}
	return p, false
}

// New makes a problem of a kind with a text for people.
func New(kind fault.Kind, detail string) *Problem {
	p := &Problem{
		Type: "about:blank", Title: http.StatusText(kind.Status()), Status: kind.Status(),
		Detail: detail, Kind: kind.String(),
	}
	switch {
	case p.Status == http.StatusTooManyRequests:
		p.Error_, p.RetryAfter = "Rate limit exceeded", 1
	case p.Status == http.StatusInternalServerError:
		p.Error_ = "Internal server error"
	case p.Status == 499:
		p.Title = "Client Closed Request"
	case p.Status == http.StatusServiceUnavailable:
		p.RetryAfter = 1
	}
	return p
}

// Seconds is a wait as Retry-After writes it: whole seconds, at least one.
func Seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// Compact is v as JSON in one line, with < > and & as they are: an expression is
// read by people too, and no answer is ever a part of a page.
func Compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// Write answers a request with p. The request id is the one already set on w.
func Write(w http.ResponseWriter, r *http.Request, p *Problem) {
	c := *p
	c.RequestID = w.Header().Get("X-Request-ID")
	c.Instance = r.URL.Path
	if c.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(c.RetryAfter))
	}
	w.Header().Set("Content-Type", ContentType)
	body, err := Compact(&c)
	if err != nil { // an Input that JSON cannot say, such as NaN: the words suffice
		c.Errors = nil
		body, _ = Compact(&c)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(c.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
