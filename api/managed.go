package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vigil/api/body"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/api/problem"
	"vigil/engine/fault"
)

// registerManaged lets api/manage register its operations through huma, and
// makes the OpenAPI document.
func (s *Server) registerManaged() error {
	reg := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	cfg := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Vigil", Version: s.deps.Version,
				Description: "Vigil measures a host, judges by policies, heals under gates, verifies and keeps an audit. " +
					"Errors are `application/problem+json`.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{
				Schemas: reg,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "A token made with `vigild token create`."},
				},
			},
			Servers: []*huma.Server{{URL: "/", Description: "This daemon"}},
			Tags:    tags(),
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{s.transform},
	}
	cfg.AllowAdditionalPropertiesByDefault = true // unknown fields are ignored everywhere
	cfg.FieldsOptionalByDefault = true
	a := &adapter{s: s}
	hum := huma.NewAPI(cfg, a)
	r := &face.Registrar{API: hum, Responses: defaultResponse(reg), Log: s.log}
	s.rules.Register(r)
	s.manage.Register(r)
	s.desired.Register(r)
	if a.err != nil {
		return a.err
	}
	s.describePlain(hum.OpenAPI(), reg)
	delete(reg.Map(), "ErrorModel")
	delete(reg.Map(), "ErrorDetail")
	s.takes(hum.OpenAPI())
	spec, err := json.Marshal(hum.OpenAPI())
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the OpenAPI document cannot be written")
	}
	s.spec = spec
	return nil
}

// defaultResponse is the problem, as every operation documents it.
func defaultResponse(reg huma.Registry) func() map[string]*huma.Response {
	schema := huma.SchemaFromType(reg, problemType)
	return func() map[string]*huma.Response {
		return map[string]*huma.Response{"default": {
			Description: "What went wrong",
			Content:     map[string]*huma.MediaType{problem.ContentType: {Schema: schema}},
		}}
	}
}

// adapter registers huma's operations as routes of ours, with the permission
// that their metadata declares.
type adapter struct {
	s   *Server
	err error // first route that could not be added
}

func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	perm, _ := op.Metadata[face.PermissionKey].(guard.Permission)
	err := a.s.add(route{Method: op.Method, Path: op.Path, Permission: perm, Handler: func(w http.ResponseWriter, r *http.Request) {
		handler(&exchange{inner: humago.NewContext(op, r, w)})
	}})
	if a.err == nil {
		a.err = err
	}
}

func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.mux.ServeHTTP(w, r) }

// exchange is huma's context with one power more: a transformer can change the
// status, so that what huma calls 400 can be the 422 of the contract.
type exchange struct {
	inner
	status int
}

// inner is huma's context under a name that its own method does not have.
type inner = huma.Context

func (x *exchange) SetStatus(code int) {
	if x.status != 0 {
		code = x.status
	}
	x.inner.SetStatus(code)
}

// transform turns huma's own errors into problems and completes all problems.
func (s *Server) transform(ctx huma.Context, _ string, v any) (any, error) {
	var p *problem.Problem
	switch v := v.(type) {
	case *huma.ErrorModel:
		p = s.translate(v)
	case *problem.Problem:
		c := *v
		p = &c
	default:
		return v, nil
	}
	u := ctx.URL()
	p.Instance, p.RequestID = u.Path, ""
	if x, ok := ctx.(*exchange); ok {
		x.status = p.Status
		_, w := humago.Unwrap(x.inner)
		p.RequestID = w.Header().Get("X-Request-Id")
	}
	if p.RetryAfter > 0 {
		ctx.SetHeader("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if b, err := problem.Compact(p); err == nil { // the original's bytes were compact
		return json.RawMessage(b), nil
	}
	p.Errors = nil
	return p, nil
}

// translate says huma's validation errors in the original's words.
func (s *Server) translate(e *huma.ErrorModel) *problem.Problem {
	if e.Status >= 500 {
		s.log.Error("request failed", "error", e.Detail)
		return problem.New(fault.Internal, "Internal server error")
	}
	var inv problem.Invalid
	for _, d := range e.Errors {
		if d != nil {
			inv = append(inv, detail(d))
		}
	}
	switch {
	case len(inv) > 0 && e.Status != http.StatusUnsupportedMediaType:
		p, _ := problem.From(inv)
		return p
	case e.Detail == "request body is required":
		p, _ := problem.From(problem.Invalid{{Type: "missing", Loc: []any{"body"}, Msg: "Field required"}})
		return p
	}
	kind := fault.Invalid
	for _, k := range []fault.Kind{fault.TooLarge, fault.Unsupported, fault.Timeout, fault.Unprocessable} {
		if k.Status() == e.Status {
			kind = k
		}
	}
	p := problem.New(kind, e.Detail)
	if e.Status == http.StatusUnsupportedMediaType {
		p.Detail = "the content type is not spoken here"
		p.Hint = "send application/json"
	}
	p.Status, p.Title = e.Status, http.StatusText(e.Status)
	return p
}

// words maps the beginning of huma's messages to the original's types. The
// first that fits is taken.
var words = []struct{ begins, typ, msg string }{
	{"expected required property", "missing", "Field required"},
	{"required ", "missing", "Field required"},
	{"expected string to be RFC 3339", "datetime_parsing", "Input should be a time in RFC 3339"},
	{"expected string", "string_type", "Input should be a valid string"},
	{"expected boolean", "bool_type", "Input should be a valid boolean"},
	{"expected integer", "int_type", "Input should be a valid integer"},
	{"invalid integer", "int_parsing", "Input should be a valid integer, unable to parse string as an integer"},
	{"expected number >=", "greater_than_equal", ""},
	{"expected number <=", "less_than_equal", ""},
	{"expected number", "float_type", "Input should be a valid number"},
	{"expected object", "dict_type", "Input should be a valid dictionary"},
	{"expected array length", "too_long", ""},
	{"expected array", "list_type", "Input should be a valid list"},
	{"expected value to be one of", "enum", ""},
	{"expected length >=", "string_too_short", ""},
	{"expected length <=", "string_too_long", ""},
	{"invalid date/time", "datetime_parsing", "Input should be a time in RFC 3339"},
	{"invalid boolean", "bool_parsing", "Input should be a valid boolean"},
}

func detail(d *huma.ErrorDetail) problem.Detail {
	if text, ok := strings.CutPrefix(d.Message, notJSON); ok {
		at, why, _ := strings.Cut(text, ":")
		n, _ := strconv.Atoi(at)
		return problem.Detail{Type: "json_invalid", Loc: []any{"body", n}, Msg: "JSON decode error", Input: map[string]any{}, Ctx: map[string]any{"error": why}}
	}
	out := problem.Detail{Type: "value_error", Msg: "Value error, " + d.Message, Loc: place(d.Location), Input: short(d.Value)}
	for _, w := range words {
		if !strings.HasPrefix(d.Message, w.begins) {
			continue
		}
		out.Type, out.Msg = w.typ, w.msg
		if w.typ == "missing" {
			// huma names the field in the message, the original in the place
			if name, ok := quotedWord(d.Message); ok {
				out.Loc = append(out.Loc, name)
			}
			out.Input = nil
		}
		if w.msg == "" {
			out.Msg = bound(w.typ, strings.TrimSpace(strings.TrimPrefix(d.Message, w.begins)))
		}
		break
	}
	return out
}

// bound says a bound in the original's words; limit is what follows the words of
// the table: a number, or the allowed values in one pair of quotes.
func bound(typ, limit string) string {
	many := "s"
	if limit == "1" {
		many = ""
	}
	switch typ {
	case "greater_than_equal":
		return "Input should be greater than or equal to " + limit
	case "less_than_equal":
		return "Input should be less than or equal to " + limit
	case "string_too_short":
		return "String should have at least " + limit + " character" + many
	case "string_too_long":
		return "String should have at most " + limit + " character" + many
	case "enum":
		values := strings.Split(strings.Trim(limit, `"`), ", ")
		for i, v := range values {
			values[i] = "'" + v + "'"
		}
		last := len(values) - 1
		if last == 0 {
			return "Input should be " + values[0]
		}
		return "Input should be " + strings.Join(values[:last], ", ") + " or " + values[last]
	}
	return "List should have a length " + limit // too_long: "<= 5"
}

// quotedWord is the property that "expected required property X to be present"
// speaks of.
func quotedWord(msg string) (string, bool) {
	rest, ok := strings.CutPrefix(msg, "expected required property ")
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(rest, " ")
	return name, ok
}

// place turns body.with.unit and body.list[3] into a loc.
func place(location string) []any {
	var out []any
	for _, part := range strings.FieldsFunc(location, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if n, err := strconv.Atoi(part); err == nil {
			out = append(out, n)
		} else {
			out = append(out, part)
		}
	}
	return out
}

// short keeps an error from echoing a whole body.
func short(v any) any {
	b, err := json.Marshal(v)
	if err == nil && len(b) <= 200 {
		return v
	}
	return nil
}

// notJSON marks the text of a body that could not be read, for detail.
const notJSON = "\x00json:"

// jsonFormat reads strictly bounded and writes compact JSON, without a line
// feed at the end, as the original did.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		b, err := problem.Compact(v)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	},
	Unmarshal: func(data []byte, v any) error {
		if at, ok := body.TooDeep(data); !ok {
			return errors.New(notJSON + strconv.Itoa(at) + ":nested over 32 levels deep")
		}
		if key, at := body.Twice(data); at > 0 {
			return errors.New(notJSON + strconv.FormatInt(at, 10) + ":" + strconv.Quote(key) + " stands twice")
		}
		err := json.Unmarshal(data, v)
		var se *json.SyntaxError
		if errors.As(err, &se) {
			return errors.New(notJSON + strconv.FormatInt(se.Offset, 10) + ":" + se.Error())
		}
		return err
	},
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "ingest", Description: "Samples in."},
		{Name: "series", Description: "What was measured."},
		{Name: "policies", Description: "What must not last, and what to do then."},
		{Name: "actions", Description: "Remediations: asked for, done, verified."},
		{Name: "queue", Description: "What waits."},
		{Name: "holds", Description: "Pauses, silences, maintenance windows, hands-off."},
		{Name: "desired", Description: "What should be, by the commits that came; what differs, and the way back."},
		{Name: "audit", Description: "What was decided and done, and why."},
		{Name: "tokens", Description: "Credentials."},
		{Name: "system", Description: "The daemon itself."},
	}
}
