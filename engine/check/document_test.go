package check

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"vigil/engine/check/bus"
	"vigil/engine/check/probe"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/series"
)

// TestDocumentIssues: what is wrong is named with its place, all of it at once.
func TestDocumentIssues(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"  {}", "expected `kind` to be one of " + strings.Join(Kinds(), ", ")},
		{"  kind: htp", `5:9: unknown kind of check "htp": expected one of ` + strings.Join(Kinds(), ", ") + ` (did you mean http?)`},
		{"  kind: http\n  urll: x", "6:3: unknown field"},
		{"  kind: http", "is no URL"},
		{"  kind: http\n  url: http://u:p@h/", "a password does not belong in a URL"},
		{"  kind: http\n  url: http://h/\n  every: 10", "7:10: "},
		{"  kind: http\n  url: http://h/\n  every: 100ms", "7:10: 100ms is out of range"},
		{"  kind: http\n  url: http://h/\n  every: 5s\n  timeout: 6s", "longer than every"},
		{"  kind: http\n  url: http://h/\n  status: [abc]", "is no status"},
		{"  kind: http\n  url: http://h/\n  status: ['600']", "out of range"},
		{"  kind: http\n  url: http://h/\n  match: '('", "not a regular expression"},
		{"  kind: http\n  url: http://h/\n  headers: {'a b': c}", "is no header"},
		{"  kind: http\n  url: http://h/\n  ca: /etc/ca.pem", "expected a reference"},
		{"  kind: http\n  url: http://h/\n  method: get", "is no method"},
		{"  kind: http\n  url: http://h/\n  window: [Mon]", "window"},
		{"  kind: http\n  url: http://h/\n  zone: Mars/Base", "is no time zone"},
		{"  kind: http\n  url: http://h/\n  labels: {check: x}", "cannot be set by a check"},
		{"  kind: http\n  url: http://h/\n  labels: {origin: open}", "cannot be set by a check"},
		{"  kind: http\n  url: http://h/\n  on_error: explode", "expected end or keep"},
		{"  kind: http\n  url: http://h/\n  retries: 99", "out of range"},
		{"  kind: http\n  url: http://h/\n  max_output: 5", "out of range"},
		{"  kind: http\n  url: http://h/\n  started_by: {name: x}", "no start_grace"},
		{"  kind: http\n  url: http://h/\n  start_grace: 1m\n  started_by: {user: root}", "nothing says which process"},
		{"  kind: tcp\n  address: nowhere", "is no address"},
		{"  kind: program\n  program: ../../bin/sh", "is a path"},
		{"  kind: program\n  program: x\n  argv: [sh]", "unknown field"},
		{"  kind: program\n  program: x\n  exit_map: {'300': 1}", "no mapping"},
		{"  kind: process", "nothing says which process"},
		{"  kind: process\n  name: x\n  min: 3\n  max: 2", "no number of processes"},
		{"  kind: unit\n  unit: '['", "is no glob"},
		{"  kind: unit\n  unit: x\n  active: [up]", "is no active state"},
		{"  kind: scrape\n  url: ftp://x/", "is no URL"},
		{"  kind: scrape\n  url: http://h/\n  sample_limit: 9999999", "out of range"},
	} {
		ds, is := document.Parse("c.yaml", []byte("apiVersion: vigil/v1\nkind: Check\nmetadata: {name: it}\nspec:\n"+c.spec), document.Git)
		if len(is) == 0 {
			_, is = FromDocument(ds[0], probe.Deps{})
		}
		if !strings.Contains(is.Error(), c.want) || !strings.Contains(is.Error(), "c.yaml:") {
			t.Errorf("%q gave\n%v\nwant %q with its place", c.spec, is.Error(), c.want)
		}
	}
	_, is := FromDocument(document.Document{Kind: DocumentKind, Name: "host", Place: "c.yaml:1:1"}, probe.Deps{})
	if !strings.Contains(is.Error(), "is taken") {
		t.Errorf("a check named host: %v", is)
	}
}

// TestDigest: the digest changes with what is written, and with nothing else.
func TestDigest(t *testing.T) {
	const spec = "  kind: http\n  url: http://h/\n  labels: {a: b, c: d}\n"
	same := read(t, spec, probe.Deps{})
	for _, again := range []string{spec, "  labels:\n    c: d\n    a: b\n  url: 'http://h/' # the same\n  kind: http\n"} {
		if read(t, again, probe.Deps{}).Digest != same.Digest {
			t.Errorf("the digest changed though nothing did: %q", again)
		}
	}
	for _, other := range []string{spec + "  every: 1m\n", spec + "  match: x\n", strings.Replace(spec, "a: b", "a: x", 1), spec + "  start_grace: 5s\n", spec + "  start_grace: 5s\n  started_by: {name: x}\n"} {
		if read(t, other, probe.Deps{}).Digest == same.Digest {
			t.Errorf("the digest stayed: %q", other)
		}
	}
}

// units is a systemd of a test.
type units struct {
	list  []bus.Unit
	props map[string]bus.Property
	err   error
	glob  string
}

func (u *units) Match(_ context.Context, glob string) ([]bus.Unit, error) {
	u.glob = glob
	return u.list, u.err
}

func (u *units) Property(_ context.Context, unit, kind, name string) (bus.Property, bool, error) {
	p, ok := u.props[name]
	return p, ok, nil
}

func TestUnitCheck(t *testing.T) {
	well := bus.Unit{Name: "web.service", Load: "loaded", Active: "active", Sub: "running"}
	ill := bus.Unit{Name: "web.service", Load: "loaded", Active: "failed", Sub: "failed"}
	none := bus.Unit{Name: "web.service", Load: "not-found", Active: "inactive", Sub: "dead"}
	props := map[string]bus.Property{"NRestarts": {Number: 3}, "MemoryCurrent": {Number: 1 << 20}, "Result": {Text: "success"}, "ActiveEnterTimestamp": {Number: 1.7e15}}
	for _, c := range []struct {
		name, spec string
		u          units
		down, err  string
		want       map[string]float64
	}{
		{"well", "unit: web", units{list: []bus.Unit{well}, props: props}, "", "", map[string]float64{
			`vigil_unit_active{check="it",unit="web.service"}`: 1, `vigil_unit_restarts_total{check="it",unit="web.service"}`: 3,
			`vigil_unit_memory_bytes{check="it",unit="web.service"}`: 1 << 20, `vigil_unit_result_ok{check="it",unit="web.service"}`: 1,
			`vigil_unit_active_since_seconds{check="it",unit="web.service"}`:   1.7e9,
			`vigil_unit_state{check="it",state="active",unit="web.service"}`:   1,
			`vigil_unit_state{check="it",state="inactive",unit="web.service"}`: 0, `vigil_unit_count{check="it"}`: 1}},
		{"ill", "unit: web.service", units{list: []bus.Unit{ill}}, "web.service is failed (failed)", "", map[string]float64{
			`vigil_unit_active{check="it",unit="web.service"}`: 0, `vigil_unit_state{check="it",state="failed",unit="web.service"}`: 1}},
		{"not there", "unit: web.service", units{list: []bus.Unit{none}}, "there is no unit", "", map[string]float64{`vigil_unit_count{check="it"}`: 0}},
		{"glob of none allowed", "unit: 'x*'\n  min: 0", units{}, "", "", map[string]float64{`vigil_unit_count{check="it"}`: 0}},
		{"inactive asked for", "unit: web.service\n  active: [failed]", units{list: []bus.Unit{ill}}, "", "", nil},
		{"sub state", "unit: web.service\n  sub: [exited]", units{list: []bus.Unit{well}}, "web.service is active (running)", "", nil},
		{"no systemd", "unit: web.service", units{err: bus.ErrAbsent}, "", "no systemd", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := read(t, "  kind: unit\n  "+c.spec, probe.Deps{Units: &c.u})
			got, err := measure(t, d)
			switch {
			case c.down != "":
				wantDown(t, err, c.down)
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %q", err, c.err)
				}
			case err != nil:
				t.Error(err)
			}
			for k, v := range c.want {
				if g, ok := got[k]; !ok || g != v {
					t.Errorf("%s is %v (%v), want %v", k, g, ok, v)
				}
			}
		})
	}
	d := read(t, "  kind: unit\n  unit: 'web@*'", probe.Deps{Units: &units{}})
	if c := d.check.(probe.Concerned); !c.Concerns("web@1.service") || c.Concerns("web.service") {
		t.Error("the check concerns the wrong units")
	}
}

// TestKindNames: whatever a kind emits by itself is in Names.
func TestKindNames(t *testing.T) {
	names := map[string]bool{}
	for _, n := range Names() {
		if names[n] {
			t.Errorf("%s is there twice", n)
		}
		names[n] = true
	}
	for _, n := range []string{"up", "scrape_duration_seconds", "http_requests_total"} {
		if names[n] {
			t.Errorf("%s must stay free for others who scrape and push", n)
		}
	}
}

// TestCollectOnce: everything is measured once, rates included, and what is down
// is said beside the samples.
func TestCollectOnce(t *testing.T) {
	cfg := Defaults()
	cfg.Checks.Bus = "unix:path=/nowhere/at/all"
	r, err := New(cfg, Deps{Sink: (&sunk{}).sink, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetChecks([]Definition{read(t, "  kind: tcp\n  address: 127.0.0.1:1", r.Probe())}); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	err = r.Collect(context.Background(), func(ls series.Labels, v float64) { got[ls.String()] = v })
	if err == nil || !strings.Contains(err.Error(), "it: connect") {
		t.Errorf("got %v, want the refused connection", err)
	}
	for _, k := range []string{`cpu_percent{origin="host"}`, `memory_percent{origin="host"}`, `disk_free_percent{origin="host"}`, "node_load1", `vigil_check_up{check="host",kind="host"}`, `vigil_check_up{check="it",kind="tcp"}`} {
		if _, ok := got[k]; !ok {
			t.Errorf("%s is missing", k)
		}
	}
	if fmt.Sprint(r.Stats().Each[1].State) != "down" {
		t.Errorf("the state is %v", r.Stats().Each[1])
	}
}
