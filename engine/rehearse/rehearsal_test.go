package rehearse

import (
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// docs reads policies from YAML; the test ends on any issue.
func docs(t testing.TB, text string) []engine.PolicyDocument {
	t.Helper()
	ds, is := document.Parse("policies.yaml", []byte(text), document.Folder)
	if err := is.Err(); err != nil {
		t.Fatal(err)
	}
	var out []engine.PolicyDocument
	for _, d := range ds {
		p, is := engine.PolicyFromDocument(d)
		if err := is.Err(); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

const hot = `
apiVersion: vigil/v1
kind: Policy
metadata: {name: hot}
spec:
  match: cpu
  fire: value > 0.9
  clear: value < 0.5
  for: 20s
  remedy:
    ladder:
      - {action: service, with: {unit: "{{ labels.service }}.service", verb: restart}}
`

func labels(name string, kv ...string) series.Labels {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return series.FromMap(name, m)
}

func TestPendingThenFiringThenOneRemediation(t *testing.T) {
	r, err := New(docs(t, hot), nil)
	if err != nil {
		t.Fatal(err)
	}
	web := labels("cpu", "service", "web")
	db := labels("cpu", "service", "db")
	for i := range 12 {
		v := 0.95
		if i < 3 || i > 9 {
			v = 0.2
		}
		r.Feed(time.Duration(i)*10*time.Second, []series.Labels{web, db}, []float64{v, 0.1})
		want := policy.StateOK
		switch {
		case i >= 3 && i < 5:
			want = policy.StatePending
		case i >= 5 && i <= 9:
			want = policy.StateFiring
		}
		if st, _ := r.State("hot", map[string]string{"service": "web"}); st != want {
			t.Fatalf("at %ds web is %s, want %s", i*10, st, want)
		}
		if st, _ := r.State("hot", map[string]string{"service": "db"}); st != policy.StateOK {
			t.Fatalf("at %ds db is %s", i*10, st)
		}
	}
	if len(r.Decided) != 1 {
		t.Fatalf("%d remediations, want 1: %+v", len(r.Decided), r.Decided)
	}
	d := r.Decided[0]
	if d.At != 50*time.Second || d.Remediation.Target != "web" || d.Remediation.Plan.Ladder[0].Action != "service" {
		t.Fatalf("decided %+v", d)
	}
}

// `for` ends although no further sample comes: the timer wakes what time moves.
func TestForEndsWithoutAnotherSample(t *testing.T) {
	r, err := New(docs(t, hot), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Feed(0, []series.Labels{labels("cpu", "service", "web")}, []float64{0.95})
	r.Advance(19 * time.Second)
	if st, _ := r.State("hot", nil); st != policy.StatePending {
		t.Fatalf("at 19s it is %s", st)
	}
	r.Advance(21 * time.Second)
	if st, _ := r.State("hot", nil); st != policy.StateFiring {
		t.Fatalf("at 21s it is %s", st)
	}
}

// A dependent is suppressed while its cause fires, and acts after it when it
// still must.
func TestOnlyTheDeepestCauseActs(t *testing.T) {
	r, err := New(docs(t, `
apiVersion: vigil/v1
kind: Policy
metadata: {name: db-down}
spec: {match: db_up, fire: value < 1, remedy: {ladder: [{action: wait, with: {for: 1s}}]}}
---
apiVersion: vigil/v1
kind: Policy
metadata: {name: web-slow}
spec: {match: web_latency, fire: value > 1, depends_on: [db-down], remedy: {ladder: [{action: wait, with: {for: 1s}}]}}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	db, web := labels("db_up"), labels("web_latency")
	r.Feed(0, []series.Labels{db}, []float64{0})
	r.Feed(time.Second, []series.Labels{web}, []float64{5})
	if st, _ := r.State("web-slow", nil); st != policy.StateSuppressed {
		t.Fatalf("web-slow is %s while its cause fires", st)
	}
	if len(r.Decided) != 1 || r.Decided[0].Remediation.Policy != "db-down" {
		t.Fatalf("decided %+v", r.Decided)
	}
	r.Feed(2*time.Second, []series.Labels{db}, []float64{1})
	r.Feed(3*time.Second, []series.Labels{web}, []float64{5})
	if st, _ := r.State("web-slow", nil); st != policy.StateFiring {
		t.Fatalf("web-slow is %s after its cause cleared", st)
	}
	if len(r.Decided) != 2 || r.Decided[1].Remediation.Policy != "web-slow" {
		t.Fatalf("decided %+v", r.Decided)
	}
}

// `absent` speaks of a selector that nothing matches, and is quiet once
// something does.
func TestAbsentWithoutAnySeries(t *testing.T) {
	r, err := New(docs(t, `
apiVersion: vigil/v1
kind: Policy
metadata: {name: no-backup}
spec: {match: 'backup_ok{job="nightly"}', fire: 'absent("1m")'}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(3 * time.Minute)
	if st, _ := r.State("no-backup", nil); st != policy.StateFiring {
		t.Fatalf("with no series at all it is %s", st)
	}
	r.Feed(4*time.Minute, []series.Labels{labels("backup_ok", "job", "nightly", "disk", "a")}, []float64{1})
	r.Advance(4*time.Minute + 30*time.Second)
	if st, ok := r.State("no-backup", nil); st != policy.StateOK || !ok {
		t.Fatalf("after a sample it is %s", st)
	}
	r.Advance(6 * time.Minute)
	if st, _ := r.State("no-backup", nil); st != policy.StateFiring {
		t.Fatalf("after a minute of silence it is %s", st)
	}
}
