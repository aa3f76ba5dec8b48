package api

import (
	"net/http"

	"vigil/api/docs"
	"vigil/api/guard"
	"vigil/api/meter"
)

// pages are the routes of the documentation.
func (s *Server) pages() []route {
	var out []route
	for _, p := range docs.Pages() {
		out = append(out, route{Method: "GET", Path: p.Path, Permission: guard.Anyone, Lax: true, Handler: p.Handler})
	}
	return append(out, route{Method: "GET", Path: "/api/v1/audit/export", Permission: guard.Read, Handler: s.export})
}

func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	if err := s.manage.Export(w, r); err != nil {
		s.fail(w, r, nil, err)
	}
}

// own tells the server's figures.
func (s *Server) own(emit func(meter.Figure)) {
	in := s.ingest.Stats()
	open, cut := 0, uint64(0)
	if on := s.on.Load(); on != nil {
		open, cut = on.Counts()
	}
	for _, f := range []meter.Figure{
		{Name: "vigil_ingest_requests_total", Help: "Ingest requests answered.", Value: float64(in.Requests), Counter: true},
		{Name: "vigil_ingest_failures_total", Help: "Ingest requests answered with an error.", Value: float64(in.Failures), Counter: true},
		{Name: "vigil_ingest_samples_total", Help: "Samples pushed and taken.", Value: float64(in.Samples), Counter: true},
		{Name: "vigil_ingest_refused_total", Help: "Samples pushed and refused.", Value: float64(in.Refused), Counter: true},
		{Name: "vigil_ingest_inflight_bytes", Help: "Bytes that ingest requests hold.", Value: float64(in.InFlight)},
		{Name: "vigil_http_connections", Help: "Open connections.", Value: float64(open)},
		{Name: "vigil_http_connections_cut_total", Help: "Connections refused over the caps.", Value: float64(cut), Counter: true},
	} {
		emit(f)
	}
	s.ingest.Names(func(name string, n uint64) {
		emit(meter.Figure{Name: "ingest_total", Help: "Samples pushed as JSON, by metric.", Labels: []string{"metric_name", name}, Value: float64(n), Counter: true})
	})
}
