package git

import (
	"cmp"
	"context"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/gitwatch"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/store"
)

// rootFile is where a tree says who may sign the next revision.
const (
	rootFile    = "vigil.yaml"
	maxRootFile = 1 << 20
)

// Verify says who signed a revision. To what the local config requires comes what
// the tree of the adopted commit says, never what the judged one says: nobody
// lets himself in, and nobody who may not sign takes the rule away.
func (r *Repository) Verify(ctx context.Context, s objects.Snapshot) (string, error) {
	cfg := r.cfg.Git
	said, err := r.adoptedSigners(s)
	if err != nil {
		return "", err
	}
	cfg.RequireSigned = cfg.RequireSigned || said.Required
	if said.File != "" && cfg.SignersInTree == "" {
		cfg.SignersInTree = said.File
	}
	return gitwatch.NewTrust(cfg, r.store, r.now).Verify(ctx, s)
}

// adoptedSigners is what the tree that holds says about signers. A tree that does
// not say it, or whose vigil.yaml another vigild could read and this one cannot,
// leaves it at the local config.
func (r *Repository) adoptedSigners(s objects.Snapshot) (said reconcile.Signers, err error) {
	adopted := r.store.Ref(store.Applied)
	if adopted.IsZero() {
		adopted = plumbing.NewHash(s.Previous)
	}
	if adopted.IsZero() {
		return said, nil
	}
	v := r.store.View()
	defer v.Close()
	text, err := v.FileAt(adopted, rootFile, maxRootFile)
	if fault.KindOf(err) == fault.NotFound {
		return said, nil
	}
	if err != nil {
		return said, err
	}
	docs, _ := document.Parse(rootFile, text, document.Git)
	for _, d := range docs {
		if n := d.Spec.Get("signers"); d.Kind == "Vigil" && !n.Absent() {
			_ = n.Decode(&said) // it was right when it was adopted
		}
	}
	return said, nil
}

// mail is the address that vigild commits under: that of this host, so that a list
// of allowed signers tells the vigilds of one repository apart.
func (r *Repository) mail() string {
	host := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			return c
		}
		return '-' // nothing that a list takes for a pattern
	}, r.cfg.Host.Name)
	return "vigild@" + cmp.Or(host, "localhost")
}
