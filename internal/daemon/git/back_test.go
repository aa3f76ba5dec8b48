package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile/manifest"
	"vigil/engine/reverse"
	"vigil/gitwatch"
)

// TestFirst_IsHeldToTheSigners: the first commit, which vigild makes itself, is signed and
// lands where nobody has to sign; where everybody has to, it does when a person has let
// vigild's own key in, for the address of this host, and else leaves nothing behind.
func TestFirst_IsHeldToTheSigners(t *testing.T) {
	for name, c := range map[string]struct {
		required bool
		list     func(s engine.Signer) string
		signer   string
		says     string
	}{
		"nobody has to sign": {false, nil, "", ""},
		"its key is let in":  {true, func(s engine.Signer) string { return s.Line }, "vigild@web1", ""},
		"it is not":          {true, func(engine.Signer) string { return "" }, "", "nobody has allowed vigild's own key"},
		"for another host":   {true, func(s engine.Signer) string { return strings.Replace(s.Line, "vigild@web1", "vigild@web2", 1) }, "", "may sign for vigild@web2"},
		"another key for its address": {true, func(s engine.Signer) string {
			return "vigild@web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIJ5zMk1sfLxJYV2ZkkiXoIhwGQvA3pMkD9HSR8Ut8Xe"
		}, "", "no allowed signer"},
	} {
		t.Run(name, func(t *testing.T) {
			list := filepath.Join(t.TempDir(), "signers")
			r := open(t, func(cfg *gitwatch.Config) {
				if cfg.RequireSigned = c.required; c.required {
					cfg.AllowedSigners = list
				}
			})
			k := &keeper{}
			s, err := New(r, k, k)
			if err != nil {
				t.Fatal(err)
			}
			b := s.Back(func() string { return "http://here" })
			own, err := b.Signer()
			if err != nil {
				t.Fatal(err)
			}
			if c.list != nil {
				if err := os.WriteFile(list, []byte(c.list(own)+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			commit, _, _, err := b.First(t.Context(), "ada", reverse.Write{Author: "vigild", Message: "first\n", At: clock.System()(),
				Files: []manifest.File{{Path: "motd.yaml", Data: []byte(tree("motd")["motd.yaml"])}}})
			if c.says != "" {
				if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %q", err, c.says)
				}
				if got := r.store.Ref(r.store.Branch()); !got.IsZero() || len(k.rows) != 0 {
					t.Errorf("the branch is at %v, landed %+v", got, k.rows)
				}
				return
			}
			if err != nil || len(k.rows) != 1 || k.rows[0].Commit != commit || k.rows[0].Signer != c.signer || r.store.Ref(r.store.Branch()).String() != commit {
				t.Errorf("%s, %v: landed %+v, want signer %q", commit, err, k.rows, c.signer)
			}
		})
	}
}
