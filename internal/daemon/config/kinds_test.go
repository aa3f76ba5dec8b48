package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vigil/actions"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/load"
	"vigil/engine/remedy"
)

// bare is a machine on which nothing is as anybody wants it.
type bare struct{ reconcile.World }

func (bare) File(context.Context, string, reconcile.Look) (reconcile.File, error) {
	return reconcile.File{}, nil
}
func (bare) Entries(context.Context, string) ([]reconcile.Entry, error) { return nil, nil }
func (bare) Unit(context.Context, string) (reconcile.Unit, error) {
	return reconcile.Unit{Load: "loaded", Active: "inactive", FileState: "disabled"}, nil
}
func (bare) Sysctl(context.Context, string) (string, bool, error) { return "0", true, nil }
func (bare) Process(context.Context, string) (reconcile.Process, error) {
	return reconcile.Process{}, nil
}

// TestKindsHaveTheirActs: where the local config lists a kind and trusts commands, each
// step that a document of it asks for is an act that this host has, with parameters that
// it takes.
func TestKindsHaveTheirActs(t *testing.T) {
	documents := map[string]string{
		"Cron":      "{schedule: 30 3 * * *, user: root, command: [/bin/true]}",
		"Directory": "{path: /srv/vigil-test/d, permissions: '0750'}",
		"File":      "{path: /srv/vigil-test/f, content: x}",
		"Process":   "{argv: [/bin/true]}",
		"Service":   "{state: running, enabled: true, file: \"[Service]\\nExecStart=/bin/true\\n\"}",
		"Sysctl":    "{name: net.ipv4.ip_forward, value: 1}",
		"Timer":     "{unit: web.service, every: 1h}",
	}
	for _, k := range kind.Names() {
		if slices.Contains(kind.Owned(), k) {
			continue
		}
		spec, ok := documents[k]
		if !ok {
			t.Errorf("documents has no %s: nothing proves that what it asks for can be done", k)
			continue
		}
		file := filepath.Join(t.TempDir(), "vigil.toml")
		text := "data_dir = \"" + filepath.Dir(file) + "\"\n[git]\nkinds = [\"" + k + "\"]\npaths = [\"/srv/vigil-test\"]\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := Load(From{File: file, Places: rootPlaces})
		if err != nil {
			t.Fatal(err)
		}
		l.Git.TrustCommands = true
		acts, err := actions.New(l.ActionsConfig(), actions.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		doc := "apiVersion: vigil/v1\nkind: " + k + "\nmetadata: {name: web}\nspec: " + spec + "\n"
		set, is := load.Load([]load.File{{Path: "a.yaml", Data: []byte(doc)}}, load.Host{}, l.Trust(), load.Deps{})
		if len(is) > 0 {
			t.Fatal(is)
		}
		it := set.Items[0]
		seen, err := it.Observe(t.Context(), bare{})
		if err != nil {
			t.Fatal(err)
		}
		steps, _ := it.Plan(seen, it.Differences(nil, seen))
		if len(steps) == 0 {
			t.Errorf("%s asks for nothing", k)
		}
		for _, s := range steps {
			if s.Content != nil {
				if _, err := acts.Contents().Put(s.Content); err != nil {
					t.Fatal(err)
				}
			}
			a, ok := acts.Action(s.Action)
			if !ok {
				t.Errorf("%s: %s: there is no act %s here", k, s.Summary, s.Action)
				continue
			}
			if _, err := a.Resolve(remedy.Request{Attempt: "1-1-1", Source: remedy.FromReconcile, Action: s.Action, With: s.With}); err != nil {
				t.Errorf("%s: %s: %v", k, s.Summary, err)
			}
		}
	}
}
