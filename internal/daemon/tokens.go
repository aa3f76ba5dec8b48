package daemon

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/internal/daemon/config"
)

// TokenFile is where the first token lies in the data directory.
const TokenFile = "token"

// fixed resolves the tokens of the local config. Their secrets are read now and
// only their hashes are kept.
func fixed(cfg *config.Loaded, now clock.Clock) ([]engine.Token, error) {
	var out []engine.Token
	for _, t := range cfg.Tokens {
		secret, err := config.Secret(t.Secret, cfg.Lookup)
		if err != nil {
			return nil, fault.Wrap(fault.Unprocessable, err, "token %s", t.Name)
		}
		k := engine.Token{Name: t.Name, Role: t.Role, Hash: sha256.Sum256([]byte(secret)), Created: now()}
		if !t.Expires.IsZero() {
			k.Expires = clock.Stamp{Wall: t.Expires.UnixMicro()}
		}
		out = append(out, k)
	}
	return out, nil
}

// firstToken makes an admin token at the first start of a ledger and puts it where
// only its owner can read it. It is made once: a deleted token stays deleted as
// long as its file is there and the ledger remembers it. A ledger that was lost
// remembers none, and the file's old secret opens nothing any more.
func (h *house) firstToken(ctx context.Context) error {
	path := filepath.Join(h.d.cfg.DataDir, TokenFile)
	if _, err := os.Lstat(path); err == nil {
		told, err := h.ledger.AuditAbout(ctx, []string{"token:first"}, 1)
		if err != nil || len(told) > 0 {
			return err
		}
	}
	made, err := h.server.Keys().First(ctx, path)
	if err != nil || !made {
		return err
	}
	h.d.log.Info("first token made", "name", "first", "role", "admin", "file", path)
	return nil
}
