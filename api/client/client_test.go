package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/api"
	"vigil/api/apitest"
	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// start runs a real server on a socket and gives a client of it.
func start(t *testing.T) (*client.Client, *apitest.Fake) {
	t.Helper()
	dir, err := os.MkdirTemp("", "vigil")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := api.Defaults()
	cfg.Listen, cfg.Socket = api.Off, filepath.Join(dir, "v", "s")
	f := apitest.New(clock.System())
	s, err := api.New(cfg, api.Deps{Engine: f, Reader: f, Samples: f, Tokens: f, Catalogue: f.Catalogue, Prune: f.Prune, Verify: f.AuditVerify, Clock: clock.System(), Version: "test",
		Reload: func(context.Context, string) (int, error) { return 3, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c, err := client.New(client.Config{Socket: cfg.Socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c, f
}

// TestClientSpeaksTheContract walks through every method against the server.
func TestClientSpeaksTheContract(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("story", func(t *testing.T) {
		c, f := start(t)
		ctx := t.Context()
		must := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		h, err := c.Health(ctx)
		must("health", err)
		r, err := c.Ready(ctx)
		must("ready", err)
		st, err := c.Status(ctx)
		must("status", err)
		if h.Service != "vigil" || !r.Ready || st.Version != "test" {
			t.Error(h, r, st)
		}
		in, err := c.Ingest(ctx, contract.Sample{Name: "cpu", Value: 1, Tags: map[string]string{"a": "b"}})
		must("ingest", err)
		_, err = c.Ingest(ctx, contract.Sample{Name: "cpu", Value: 2}, contract.Sample{Name: "mem", Value: 3, Timestamp: time.Now()})
		must("ingest many", err)
		if !in.OK || in.MetricID != 1 || f.Count() != 3 {
			t.Error(in, f.Count())
		}
		ls, err := c.Series(ctx, "cpu", time.Time{}, time.Time{}, 0)
		must("series", err)
		rg, err := c.Range(ctx, `cpu{a="b"}`, time.Now().Add(-time.Minute), time.Now().Add(time.Second), 10, 10)
		must("range", err)
		rc, err := c.Recent(ctx, "", 0)
		must("recent", err)
		if len(ls.Series) != 2 || rg.Points != 1 || rc.Count != 3 {
			t.Error(ls, rg, rc)
		}
		p, err := c.CreatePolicy(ctx, map[string]any{"name": "a b/c", "condition": map[string]any{"match": "up", "fire": "value < 1"}})
		must("create policy", err)
		text := "new"
		p, err = c.UpdatePolicy(ctx, p.Name, p.Version, map[string]any{"description": text})
		must("update policy", err)
		if _, err := c.UpdatePolicy(ctx, p.Name, 1, map[string]any{}); fault.KindOf(err) != fault.Precondition {
			t.Error(err)
		}
		_, err = c.EnablePolicy(ctx, p.Name, false)
		must("disable", err)
		got, err := c.Policy(ctx, p.Name)
		must("policy", err)
		if got.Enabled || got.Description != "new" {
			t.Error(got)
		}
		if _, err := c.Policies(ctx); err != nil {
			t.Error(err)
		}
		ok, err := c.ReloadPolicies(ctx)
		must("reload", err)
		if ok.Message != "Policies reloaded successfully (3 policies)" {
			t.Error(ok)
		}
		_, err = c.Evaluate(ctx, contract.EvaluateRequest{Metrics: map[string]any{"up": 0}})
		must("evaluate", err)
		_, err = c.Runner(ctx)
		must("runner", err)
		_, err = c.Firings(ctx, "", "")
		must("firings", err)

		a, err := c.CreateAction(ctx, contract.ActionCreate{Target: "web", Action: "service", QueueImmediately: true, With: map[string]any{"unit": "a"}})
		must("create action", err)
		_, err = c.ApproveAction(ctx, a.ActionID)
		must("approve", err)
		if _, err = c.ResolveAction(ctx, a.ActionID, true, "I looked"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("an act whose end is known cannot be resolved: %v", err)
		}
		if _, err = c.ConfirmClock(ctx); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("there is no store behind this server: %v", err)
		}
		_, err = c.SetActionStatus(ctx, a.ActionID, contract.ActionStatus{Status: "failed"})
		must("status", err)
		_, err = c.RetryAction(ctx, a.ActionID)
		must("retry", err)
		_, err = c.CancelAction(ctx, a.ActionID, "enough")
		must("cancel", err)
		one, err := c.Action(ctx, a.ActionID)
		must("action", err)
		list, err := c.Actions(ctx, client.ActionQuery{Status: "cancelled", Start: time.Now().Add(-time.Hour), Limit: 5})
		must("actions", err)
		if one.Status != "cancelled" || list.Count != 1 || f.Count() != 3 {
			t.Error(one, list)
		}
		at, err := c.Attempts(ctx, a.ActionID)
		must("attempts", err)
		q, err := c.Queue(ctx)
		must("queue", err)
		if len(at.Attempts) != 1 || q.TasksEnqueued != 1 {
			t.Error(at, q)
		}
		hold, err := c.Pause(ctx, "1h", "work")
		must("pause", err)
		res, err := c.Resume(ctx)
		must("resume", err)
		if hold.Kind != "pause" || res.Released != 1 {
			t.Error(hold, res)
		}
		span := "10m"
		hold, err = c.CreateHold(ctx, contract.HoldCreate{Kind: "silence", Reason: "r", For: &span})
		must("silence", err)
		hs, err := c.Holds(ctx, "silence")
		must("holds", err)
		_, err = c.ReleaseHold(ctx, hold.ID)
		must("release", err)
		if len(hs.Holds) != 1 {
			t.Error(hs)
		}
		_, err = c.Why(ctx, a.ActionID)
		must("why", err)
		_, err = c.WhyNot(ctx, p.Name, "")
		must("why-not", err)
		tok, err := c.CreateToken(ctx, "ci", "viewer", "90d")
		must("token", err)
		ts, err := c.Tokens(ctx)
		must("tokens", err)
		_, err = c.DeleteToken(ctx, "ci")
		must("delete token", err)
		if tok.Secret == "" || len(ts.Tokens) != 1 {
			t.Error(tok, ts)
		}
		cat, err := c.Catalogue(ctx)
		must("catalogue", err)
		if len(cat.Actions) != 2 || cat.Actions[1].Params["site"] == "" {
			t.Error(cat)
		}
		_, err = c.DeletePolicy(ctx, p.Name)
		must("delete policy", err)

		recs, err := c.Audit(ctx, "", "", 2)
		must("audit", err)
		v, err := c.AuditVerify(ctx)
		must("verify", err)
		var out bytes.Buffer
		must("export", c.AuditExport(ctx, "", &out))
		if len(recs.Records) != 2 || !v.OK {
			t.Error(recs, v)
		}
		if err := audit.VerifyExport(&out, audit.NewVerifier(audit.Head{}), audit.Head{}); err != nil {
			t.Error("the export does not verify offline:", err)
		}
		gone, err := c.AuditPrune(ctx, recs.Records[0].Seq, recs.Records[0].Hash)
		must("prune", err)
		if v, err = c.AuditVerify(ctx); err != nil || gone.Removed != 1 || !v.OK || v.First != 2 {
			t.Error("after pruning one:", gone, v, err)
		}
		f.Tamper(0)
		if v, err = c.AuditVerify(ctx); err != nil || v.OK || !strings.Contains(v.Fault, "record 2") {
			t.Error("a changed record was not found:", v, err)
		}
		m, err := c.Metrics(ctx)
		must("metrics", err)
		if !bytes.Contains(m, []byte("requests_total")) {
			t.Error("no metrics")
		}
	})
}

// TestClientErrorsKeepTheirKind: what failed there fails here alike.
func TestClientErrorsKeepTheirKind(t *testing.T) {
	c, _ := start(t)
	ctx := t.Context()
	_, err := c.Action(ctx, 99)
	var fe *fault.Error
	if !errors.As(err, &fe) || fe.Kind != fault.NotFound || fe.Msg != "Action with id 99 not found" {
		t.Errorf("%#v", err)
	}
	if _, err := c.CreateToken(ctx, "", "viewer", ""); fault.KindOf(err) != fault.Unprocessable {
		t.Error(err)
	}
	gone, err := client.New(client.Config{Socket: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := gone.Status(ctx); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("took %v to see that nobody is there", took)
	}
	for _, bad := range []string{"localhost:8000", "ftp://x", "http://u:p@x", "::"} {
		if _, err := client.New(client.Config{URL: bad}); fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestClientTriesAgainWithoutAskingTwice: a call is repeated when the server
// asks for patience, under one Idempotency-Key; samples are not repeated once
// they may have arrived.
func TestClientTriesAgainWithoutAskingTwice(t *testing.T) {
	var calls atomic.Int32
	keys := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		if n := calls.Add(1); n == 1 {
			if r.URL.Path == "/api/v1/ingest" {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"ok":true,"action_id":4}`))
	}))
	defer srv.Close()
	c, err := client.New(client.Config{URL: srv.URL, Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, err := c.CreateAction(t.Context(), contract.ActionCreate{Target: "t", Action: "a"})
	if err != nil || a.ActionID != 4 || calls.Load() != 2 {
		t.Fatal(a, err, calls.Load())
	}
	if k1, k2 := <-keys, <-keys; k1 == "" || k1 != k2 {
		t.Errorf("keys %q and %q", k1, k2)
	}
	calls.Store(0)
	if _, err := c.Ingest(t.Context(), contract.Sample{Name: "a"}); err == nil || calls.Load() != 1 {
		t.Errorf("samples were sent %d times: %v", calls.Load(), err)
	}
}

// A certificate that is not trusted is said with the way to trust it.
func TestClientSaysHowToTrust(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	c, err := client.New(client.Config{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err = c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("%v", err)
	}
}
