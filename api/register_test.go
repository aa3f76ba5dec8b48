package api

import (
	"net/http"
	"strings"
	"testing"

	"vigil/api/guard"
)

// TestRouteWithoutPermissionFailsNew: a route that forgot to say who may use it
// is an error at the start and no open door.
func TestRouteWithoutPermissionFailsNew(t *testing.T) {
	s := &Server{mux: http.NewServeMux(), byPath: map[string]*route{}}
	nothing := func(http.ResponseWriter, *http.Request) {}
	if err := s.add(route{Method: "GET", Path: "/a", Handler: nothing}); err == nil || !strings.Contains(err.Error(), "declares no permission") {
		t.Errorf("taken: %v", err)
	}
	if err := s.add(route{Method: "GET", Path: "/a", Permission: guard.Read, Handler: nothing}); err != nil {
		t.Error(err)
	}
	if err := s.add(route{Method: "GET", Path: "/a", Permission: guard.Anyone, Handler: nothing}); err == nil {
		t.Error("a route stands there twice")
	}
	for _, r := range append(guard.Roles, guard.Nobody, guard.Guest) {
		if r.May(guard.Undeclared) {
			t.Errorf("%s may do what nobody declared", r)
		}
	}
}
