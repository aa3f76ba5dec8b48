package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/problem"
	"vigil/api/query"
)

var problemType = reflect.TypeFor[problem.Problem]()

// described is a plain route as the OpenAPI document tells of it.
type described struct {
	method, path, id, summary, tag string
	status                         int
	body                           reflect.Type // of the answer, nil for none
	media                          string       // of the answer; "" is JSON
	request                        reflect.Type // nil for none
	accepts                        []string     // media types of the request
}

// describePlain adds the routes that do not go through huma.
func (s *Server) describePlain(doc *huma.OpenAPI, reg huma.Registry) {
	responses := defaultResponse(reg)
	health, sample, ingested := reflect.TypeFor[contract.Health](), reflect.TypeFor[contract.Sample](), reflect.TypeFor[contract.Ingested]()
	jsonTypes := []string{"application/json", "application/x-ndjson"}
	for _, d := range []described{
		{"GET", "/health", "getHealth", "Whether the process serves", "system", 200, health, "", nil, nil},
		{"GET", "/healthz", "getHealthz", "Whether the process serves", "system", 200, health, "", nil, nil},
		{"GET", "/readyz", "getReadyz", "Whether requests can be served, and why not", "system", 200, reflect.TypeFor[contract.Ready](), "", nil, nil},
		{"GET", "/api/v1/ingest/health", "getIngestHealth", "Whether ingest serves", "ingest", 200, health, "", nil, nil},
		{"GET", "/api/v1/actions/health", "getActionsHealth", "Whether actions serve", "actions", 200, health, "", nil, nil},
		{"GET", s.cfg.MetricsPath, "getMetrics", "Vigil's own figures, as Prometheus text", "system", 200, nil, "text/plain", nil, nil},
		{"GET", "/api/v1/audit/export", "exportAudit", "The whole audit chain as NDJSON, for checking offline", "audit", 200, nil, "application/x-ndjson", nil, nil},
		{"POST", "/api/v1/ingest", "ingest", "Push one sample, an array of samples, or NDJSON", "ingest", 201, ingested, "", sample, jsonTypes},
		{"POST", "/api/v1/ingest/agent/metrics", "ingestAgent", "Another name of POST /api/v1/ingest", "ingest", 201, ingested, "", sample, jsonTypes},
		{"POST", "/api/v1/write", "remoteWrite", "Push samples by Prometheus remote write 1.0 (snappy)", "ingest", 204, nil, "", nil, []string{"application/x-protobuf"}},
		{"GET", "/git/{name}/info/refs", "gitRefs", "What a git client asks first; a token is the password of Basic auth", "desired", 200, nil, "application/octet-stream", nil, nil},
		{"POST", "/git/{name}/git-upload-pack", "gitFetch", "Clone and fetch, as git speaks it", "desired", 200, nil, "application/x-git-upload-pack-result", nil, []string{"application/x-git-upload-pack-request"}},
		{"POST", "/git/{name}/git-receive-pack", "gitPush", "Push, as git speaks it", "desired", 200, nil, "application/x-git-receive-pack-result", nil, []string{"application/x-git-receive-pack-request"}},
		{"POST", "/api/v1/git/webhook", "gitWebhook", "A signed webhook of GitHub, Gitea, Forgejo or GitLab: look now", "desired", 202, nil, "", nil, []string{"application/json"}},
	} {
		rt := s.byPath[d.method+" "+d.path]
		if rt == nil {
			continue // there is no repository here, or no webhook
		}
		op := &huma.Operation{
			OperationID: d.id, Method: d.method, Path: d.path, Summary: d.summary, Description: rt.Permission.Explain(), Tags: []string{d.tag},
			Responses: responses(), Security: face.Security, Parameters: parameters(d.method + " " + d.path),
		}
		ok := &huma.Response{Description: http.StatusText(d.status)}
		if d.media != "" {
			ok.Content = map[string]*huma.MediaType{d.media: {Schema: &huma.Schema{Type: "string"}}}
		} else if d.body != nil {
			ok.Content = map[string]*huma.MediaType{"application/json": {Schema: reg.Schema(d.body, true, "")}}
		}
		op.Responses[strconv.Itoa(d.status)] = ok
		if len(d.accepts) > 0 {
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
			for _, m := range d.accepts {
				schema := &huma.Schema{Type: "string", Format: "binary"}
				if d.request != nil {
					one := reg.Schema(d.request, true, "")
					schema = one
					if m == "application/json" {
						schema = &huma.Schema{OneOf: []*huma.Schema{one, {Type: "array", Items: one}}}
					}
				}
				op.RequestBody.Content[m] = &huma.MediaType{Schema: schema}
			}
		}
		doc.AddOperation(op)
	}
}

// parameters are those in the URLs of the routes above.
func parameters(pattern string) (out []*huma.Param) {
	one := func(name, doc string) {
		out = append(out, &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: "string"}})
	}
	switch pattern {
	case "POST /api/v1/ingest", "POST /api/v1/ingest/agent/metrics":
		one("backfill", "true: samples older than the window are stored, where a token is shown")
		one("verdicts", "all: every item of a batch is answered")
	case "POST /api/v1/write":
		one("backfill", "true: samples older than the window are stored, where a token is shown")
	case "GET /api/v1/audit/export":
		one("after", "The sequence number to begin behind")
	case "GET /git/{name}/info/refs":
		one("service", "What git is about to do: git-upload-pack or git-receive-pack")
	}
	return out
}

// takes tells each route its parameters, as the document has them, so that the
// two cannot differ.
func (s *Server) takes(doc *huma.OpenAPI) {
	for path, item := range doc.Paths {
		for _, op := range [...]*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			var names []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			if rt := s.byPath[op.Method+" "+path]; rt != nil {
				rt.query = query.Of(names...)
			}
		}
	}
}

// openapi serves the document, made once when the server was.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(s.spec)
}
