package api

import (
	"encoding/json"
	"net/http"

	"vigil/api/contract"
)

// health answers that the process serves; it looks at nothing, so that a full
// disk does not make an orchestrator kill what is healing it.
func (s *Server) health(service string) http.HandlerFunc {
	body, _ := json.Marshal(contract.Health{Status: "healthy", Service: service})
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
}

// readyz answers 200 when requests can be served, 503 with the reasons when not.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	reasons, degraded := s.ready()
	a := contract.Ready{Ready: len(reasons) == 0, Reasons: reasons, Degraded: degraded}
	if a.Reasons == nil {
		a.Reasons = []string{}
	}
	if a.Degraded == nil {
		a.Degraded = []string{}
	}
	body, _ := json.Marshal(a)
	w.Header().Set("Content-Type", "application/json")
	if !a.Ready {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body)
}
