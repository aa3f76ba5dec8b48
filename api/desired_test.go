package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/engine/clock"
)

// TestDesiredRoutes asks every line of the desired state's contract as an admin,
// and looks at whose word was kept.
func TestDesiredRoutes(t *testing.T) {
	d := apitest.NewDesired(clock.System())
	s := serve(t, func(_ *api.Config, deps *api.Deps) { deps.Desired, deps.DesiredReader, deps.Reverse = d, d, d })
	apitest.Run(t, s.http, s.base, s.tokens["admin"], apitest.DesiredCases)
	want := []string{"rollback token:t-admin", "retry token:t-admin", "retry token:t-admin", "suspend token:t-admin", "unsuspend token:t-admin", "commit token:t-admin", "init token:t-admin"}
	if !slices.Equal(d.Actors, want) {
		t.Errorf("kept %v", d.Actors)
	}
}

// TestDesiredContentIsForAdminsAlone: what stands in files is told to nobody else,
// whatever the mode, and what is told to all has no content in it.
func TestDesiredContentIsForAdminsAlone(t *testing.T) {
	d := apitest.NewDesired(clock.System())
	s := serve(t, func(_ *api.Config, deps *api.Deps) { deps.Desired, deps.DesiredReader, deps.Reverse = d, d, d })
	for _, role := range []string{"", "viewer", "pusher", "operator"} {
		for _, c := range []apitest.Case{
			{Method: "GET", Path: "/api/v1/resources/File/f007/content"},
			{Method: "POST", Path: "/api/v1/adopt", Body: `{"what":"/etc/motd"}`},
		} {
			if resp, body := apitest.Ask(t, s.http, s.base, s.tokens[role], c); resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s as %q: %d %s", c.Path, role, resp.StatusCode, body)
			}
		}
	}
}

// TestDesiredOffSaysWhichSettingIsOff: without desired state its routes answer
// 501, never a panic and never an empty list that would look like "all well".
func TestDesiredOffSaysWhichSettingIsOff(t *testing.T) {
	s := serve(t, nil)
	if resp, body := apitest.Ask(t, s.http, s.base, "", apitest.Case{Method: "GET", Path: "/api/v1/desired"}); resp.StatusCode != 200 || !strings.Contains(string(body), `"enabled":false`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, c := range apitest.DesiredCases {
		if c.Status >= 400 || c.Line == "desired" {
			continue
		}
		resp, body := apitest.Ask(t, s.http, s.base, s.tokens["admin"], c)
		if resp.StatusCode != http.StatusNotImplemented || !strings.Contains(string(body), "[git] enabled") {
			t.Errorf("%s %s: %d %s", c.Method, c.Path, resp.StatusCode, body)
		}
	}
}

// TestDesiredRollbackIsNotRepeated: a client that lost the answer and asks again
// under one key goes back once.
func TestDesiredRollbackIsNotRepeated(t *testing.T) {
	d := apitest.NewDesired(clock.System())
	s := serve(t, func(_ *api.Config, deps *api.Deps) { deps.Desired, deps.DesiredReader, deps.Reverse = d, d, d })
	c := apitest.Case{Method: "POST", Path: "/api/v1/revisions/rollback", Body: `{"reason":"r"}`, Header: map[string]string{"Idempotency-Key": "k"}}
	for range 2 {
		if resp, body := apitest.Ask(t, s.http, s.base, s.tokens["operator"], c); resp.StatusCode != 202 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if len(d.Actors) != 1 {
		t.Errorf("went back %d times", len(d.Actors))
	}
}
