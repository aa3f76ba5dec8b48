package engine

import (
	"slices"
	"strings"
	"testing"

	"vigil/engine/document"
)

// TestPolicyFromEveryShape: vigil's own shape and the two of the original become
// the same thing, with the defaults of each written out.
func TestPolicyFromEveryShape(t *testing.T) {
	for name, c := range map[string]struct{ text, match, fire, mode, severity, action string }{
		"own": {`
apiVersion: vigil/v1
kind: Policy
metadata: {name: a}
spec: {match: cpu, fire: value > 0.8}
`, "cpu", "value > 0.8", "act", "warning", ""},
		"list of the original": {`
policies:
  - name: a
    condition: {type: metric_exceeds, metric: cpu, threshold: 0.8}
    action: restart_service
    target: web
    severity: loud
`, "cpu", "value > 0.8", "act", "warning", "service"},
		"match_metric":  {"name: a\nmatch_metric: cpu\nthreshold: 0.8\naction: scale-up\nseverity: critical\n", "cpu", "value > 0.8", "act", "critical", "scale-up"},
		"only recorded": {"name: a\nmatch_metric: cpu\nthreshold: 1\nauto_remediate: false\n", "cpu", "value > 1", "shadow", "warning", "custom"},
		"dotted metric": {"name: a\nmatch_metric: http.latency\nthreshold: 1\n", `{__name__="http.latency"}`, "value > 1", "act", "warning", "custom"},
	} {
		t.Run(name, func(t *testing.T) {
			ds, is := document.Parse("f.yaml", []byte(c.text), document.Folder)
			if len(is) > 0 || len(ds) != 1 {
				t.Fatal(ds, is)
			}
			p, is := PolicyFromDocument(ds[0])
			if len(is) > 0 {
				t.Fatal(is)
			}
			action := ""
			if p.Remedy != nil {
				action = p.Remedy.Ladder[0].Action
			}
			if p.Name != "a" || p.Condition.Match != c.match || p.Condition.Fire != c.fire || p.Mode != c.mode || p.Severity != c.severity || action != c.action || !p.Enabled {
				t.Errorf("%+v, action %q", p, action)
			}
		})
	}
}

// TestPolicyMistakesAreToldAtOnce: what cannot be read hides nothing of what can be
// read and does not compile, and nothing is told twice.
func TestPolicyMistakesAreToldAtOnce(t *testing.T) {
	ds, is := document.Parse("f.yaml", []byte(`apiVersion: vigil/v1
kind: Policy
metadata: {name: a}
spec:
  severity: loud
  match: cpu{
  fires: value > 1
  clear: vlaue < 1
  for: soon
  colour: red
  remedy:
    ladder:
      - {action: wait, timeout: long}
      - {acton: wait, tries: -1}
`), document.Folder)
	if len(is) > 0 || len(ds) != 1 {
		t.Fatal(ds, is)
	}
	_, is = PolicyFromDocument(ds[0])
	var at []string
	for _, x := range is {
		at = append(at, strings.Join(strings.Split(x.Place, ":")[1:2], ""))
	}
	slices.Sort(at)
	if got := strings.Join(at, " "); got != "10 13 14 14 5 6 7 8 9" {
		t.Errorf("lines %s:\n%v", got, is)
	}
}

// TestPolicyMistakesNameTheirPlace: what a policy's document gets wrong is told
// with file, line and column, whichever shape it has.
func TestPolicyMistakesNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown field":     {"apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: a}\nspec:\n  match: cpu\n  fires: value > 1\n", "f.yaml:6:3"},
		"groups come later": {"apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: a}\nspec:\n  match: cpu\n  by: [host]\n  fire: value > 1\n", "f.yaml:6:"},
		"no threshold":      {"name: a\nmatch_metric: cpu\n", "f.yaml:1:1: threshold"},
		"threshold of text": {"name: a\nmatch_metric: cpu\nthreshold: high\n", "f.yaml:3:12"},
		"no metric":         {"name: a\nmatch_metric: ''\nthreshold: 1\n", "f.yaml:2:15"},
		"all at once":       {"policies:\n  - name: a\n    colour: red\n    condition: {type: metric_exceeds, metric: cpu, threshold: high}\n", "f.yaml:4:"},
		"no condition":      {"policies:\n  - name: a\n    action: custom\n", "f.yaml:2:5"},
	} {
		t.Run(name, func(t *testing.T) {
			ds, is := document.Parse("f.yaml", []byte(c.text), document.Folder)
			if len(is) == 0 {
				if len(ds) != 1 {
					t.Fatal(ds)
				}
				_, is = PolicyFromDocument(ds[0])
			}
			if !strings.Contains(is.Error(), c.want) {
				t.Errorf("%v; want %s", is, c.want)
			}
		})
	}
}
