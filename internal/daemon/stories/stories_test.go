package stories

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/engine/remedy"
)

// known accepts every request for the names it knows, as the actions do that a
// story cannot reach.
type known []string

func (k known) Action(name string) (remedy.Action, bool) {
	for _, n := range k {
		if n == name {
			return whatever{n}, true
		}
	}
	return nil, false
}
func (k known) Names() []string { return k }

type whatever struct{ name string }

func (a whatever) Resolve(r remedy.Request) (remedy.Spec, error) {
	return remedy.Spec{Subject: a.name + ":" + r.Target, Kind: a.name, Class: remedy.Convergent}, nil
}
func (whatever) Run(context.Context, remedy.Request) (remedy.Result, error) {
	panic("a story acted")
}

func tell(t *testing.T, files map[string]string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "loaded") {
			names = append(names, filepath.Join(dir, name))
		}
	}
	rs, err := Run(names, known{"service", "notify"})
	if err != nil {
		return "", err
	}
	var out []string
	for _, r := range rs {
		if r.Passed {
			out = append(out, "passed")
		}
		out = append(out, r.Failures...)
	}
	return strings.ReplaceAll(strings.Join(out, "\n"), dir+"/", ""), nil
}

const cpus = `every 10s
  cpu{host="web1"}  0.2x3 0.95x12 0.3x12
`

const hot = `apiVersion: vigil/v1
kind: Policy
metadata: {name: hot}
spec:
  match: cpu
  fire: avg("1m") > 0.9
  clear: avg("1m") < 0.5
  for: 20s
  remedy:
    target: "{{ labels.host }}"
    ladder: [{action: service, with: {unit: web.service}}]
`

func TestStories(t *testing.T) {
	beside := func(expect string) map[string]string {
		return map[string]string{"loaded.yaml": hot, "a.story": cpus + "policy hot loaded.yaml\n" + expect}
	}
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a story that holds", beside(`
at 20s   hot ok no remedy
at 80s   hot{host="web1"} pending
at 120s  hot{host="web1"} firing     remedy service web1
at 260s  hot{host="web1"} ok
`), "passed"},
		{"a wrong state", beside("at 120s hot pending\n"), "a.story:4:9: at 2m hot: is firing, expected pending"},
		{"a wrong remedy", beside("at 120s hot firing remedy notify web1\n"), "a.story:4:9: at 2m hot: the remedy was service web1 at 1m40s; expected notify web1"},
		{"a missing remedy", beside("at 20s hot ok remedy service web1\n"), "a.story:4:8: at 20s hot: no remedy was queued, expected service web1"},
		{"an unwanted remedy", beside("at 120s hot firing no remedy\n"), "a.story:4:9: at 2m hot: a remedy was queued: service web1 at 1m40s; expected none"},
		{"given on the command line", map[string]string{
			"p.yaml":  "apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: up}\nspec: {match: x, fire: value > 1}\n",
			"a.story": "every 1s from 10s\n  x 2\npolicy up\nat 9s up ok\nat 10s up firing\n",
		}, "passed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tell(t, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestStoriesNameThePlaceOfAMistake(t *testing.T) {
	tests := []struct{ name, story, policy, want string }{
		{"unknown word", "evry 10s\n", hot, "a.story:1"},
		{"no such file", "policy hot none.yaml\nat 1s hot ok\n", hot, "a.story:1:8: there is no file "},
		{"not in that file", "policy none p.yaml\nat 1s none ok\n", hot, "a.story:1:8: there is no policy \"none\" in p.yaml (write the name"},
		{"no such policy", "policy none\nat 1s none ok\n", hot, "a.story:1:8: there is no policy \"none\""},
		{"a mistake in a policy", "policy hot\nat 1s hot ok\n", "apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: hot}\nspec:\n  match: x\n  fro: 1\n", "p.yaml:6:3: unknown field \"fro\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tell(t, map[string]string{"a.story": tt.story, "p.yaml": tt.policy})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to hold %s", err, tt.want)
			}
		})
	}
}
