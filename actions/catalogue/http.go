package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vigil/actions/launch"
	"vigil/actions/outward"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// request is an http entry of the catalogue: one request to a host that stands
// in the entry.
type request struct {
	entry
	c      *Catalogue
	client *outward.Client
}

func newHTTP(c *Catalogue, name string, e Entry) (remedy.Action, error) {
	x, err := newEntry(name, e)
	if err != nil {
		return nil, err
	}
	client, err := outward.New(e.Allow, c.deps.Resolve)
	if err != nil {
		return nil, err
	}
	if e.Idempotent {
		return idempotent{request{x, c, client}}, nil
	}
	return request{x, c, client}, nil
}

func methods() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

func (e Entry) validateHTTP(at string, is *fault.Issues) {
	if e.Method != "" && !slices.Contains(methods(), e.Method) {
		is.Add(at+".method", "%q is none of %s", e.Method, strings.Join(methods(), ", "))
	}
	u, err := url.Parse(e.URL)
	switch {
	case e.URL == "":
		is.Add(at+".url", "url is missing")
	case err != nil:
		is.Add(at+".url", "%q is not a URL", e.URL)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		is.Add(at+".url", "%q has to be http or https, with a host, and without user, query (use query.NAME) and fragment", e.URL)
	case placeholder.MatchString(u.Host):
		is.Add(at+".url", "the host is fixed in the entry and takes no parameter")
	default:
		for seg := range strings.SplitSeq(u.Path, "/") {
			e.whole(at+".url", seg, is)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.Query)) {
		e.whole(at+".query."+k, e.Query[k], is)
	}
	outward.CheckHeaders(at, e.Headers, is)
	e.wholeTree(at+".json", e.JSON, is)
	for _, s := range e.Expect {
		if s < 100 || s > 599 {
			is.Add(at+".expect", "%d is not an HTTP status", s)
		}
	}
	if e.Class == remedy.Probed && !e.Idempotent {
		is.Add(at+".class", "class probed needs idempotent = true: the other side must honour Idempotency-Key")
	}
	if _, err := outward.New(e.Allow, nil); err != nil {
		is.Add(at+".allow", "%v", err)
	}
	if len(e.Argv) > 0 || len(e.Probe) > 0 || e.User != "" || e.Group != "" || e.SHA256 != "" || e.Isolation != "" {
		is.Add(at, "argv, probe, user, group, sha256 and isolation belong to kind exec")
	}
}

func (e Entry) wholeTree(at string, v any, is *fault.Issues) {
	switch x := v.(type) {
	case string:
		e.whole(at, x, is)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			e.wholeTree(at+"."+k, x[k], is)
		}
	case []any:
		for i, y := range x {
			e.wholeTree(fmt.Sprintf("%s[%d]", at, i), y, is)
		}
	}
}

// fillTree is fill for a JSON value. A placeholder becomes a string.
func fillTree(v any, vs map[string]string) any {
	switch x := v.(type) {
	case string:
		return fillOne(x, vs)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, y := range x {
			out[k] = fillTree(y, vs)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, y := range x {
			out[i] = fillTree(y, vs)
		}
		return out
	}
	return v
}

// Resolve: the entry's own parameters, each required and matched whole.
func (a request) Resolve(r remedy.Request) (remedy.Spec, error) {
	vs, err := a.values(r)
	if err != nil {
		return remedy.Spec{}, err
	}
	if _, err := a.url(vs); err != nil {
		return remedy.Spec{}, err
	}
	return a.spec(vs), nil
}

// url puts the values where they belong, each escaped as one segment or value.
func (a request) url(vs map[string]string) (string, error) {
	u, err := url.Parse(a.e.URL)
	if err != nil {
		return "", fault.Wrap(fault.Unprocessable, err, "the url of %s", a.name)
	}
	var segments []string
	for seg := range strings.SplitSeq(u.Path, "/") {
		v := fillOne(seg, vs)
		if v != seg && (v == "." || v == ".." || v == "") {
			return "", fault.New(fault.Unprocessable, "%q cannot be a segment of a path", v).At("with")
		}
		segments = append(segments, url.PathEscape(v))
	}
	q := url.Values{}
	for k, v := range a.e.Query {
		q.Set(k, fillOne(v, vs))
	}
	out := u.Scheme + "://" + u.Host + strings.Join(segments, "/")
	if len(q) > 0 {
		out += "?" + q.Encode()
	}
	return out, nil
}

func (a request) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	vs, err := a.values(r)
	if err != nil {
		return remedy.Result{}, err
	}
	limit := r.Timeout
	if limit <= 0 {
		limit = a.spec(vs).Timeout
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	leave, err := a.c.admit(ctx, a.name, a.e)
	if err != nil {
		return remedy.Result{}, err
	}
	defer leave()
	q, err := a.build(ctx, r, vs)
	if err != nil {
		return remedy.Result{}, err
	}
	got, sent, err := a.client.Do(q, launch.DefaultOutput/2)
	if err != nil && !sent {
		return remedy.Result{}, outward.Unsent(err, a.name)
	}
	if err != nil {
		return remedy.Result{Unseen: true, TimedOut: ctx.Err() == context.DeadlineExceeded, Error: "the request was sent and not answered: " + outward.Plain(err)}, nil
	}
	res := remedy.Result{OK: a.expected(got.Status), Output: launch.Clean(got.Body), Data: map[string]any{"status": got.Status}}
	if !res.OK {
		res.Error = fmt.Sprintf("answered %d %s", got.Status, http.StatusText(got.Status))
	}
	return res, nil
}

func (a request) build(ctx context.Context, r remedy.Request, vs map[string]string) (*http.Request, error) {
	to, err := a.url(vs)
	if err != nil {
		return nil, err
	}
	var body []byte
	if a.e.JSON != nil {
		if body, err = json.Marshal(fillTree(a.e.JSON, vs)); err != nil {
			return nil, fault.Wrap(fault.Unprocessable, err, "the body of %s", a.name)
		}
	}
	method := a.e.Method
	if method == "" {
		method = http.MethodPost
	}
	q, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err, "the request of %s", a.name)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if err := outward.SetHeaders(q, a.e.Headers); err != nil {
		return nil, err
	}
	q.Header.Set("Idempotency-Key", r.Attempt)
	return q, nil
}

func (a request) expected(status int) bool {
	if len(a.e.Expect) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.Contains(a.e.Expect, status)
}

// idempotent is an entry whose other side honours Idempotency-Key.
type idempotent struct{ request }

// Done asks with the key of the attempt itself, which is the one question that
// such a server answers: if the request had arrived it repeats its answer and
// does nothing; if not, it is carried out now, once, under that attempt, which is
// still open on disk.
func (a idempotent) Done(ctx context.Context, r remedy.Request) (bool, error) {
	res, err := a.Run(ctx, r)
	if err != nil {
		return false, err
	}
	if res.Unseen {
		return false, fault.New(fault.Unavailable, "%s: %s", a.name, res.Error)
	}
	return res.OK, nil
}
