package daemon

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"

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
		secret, err := resolve(t.Secret, cfg.Lookup)
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

// resolve reads file:PATH or env:NAME. A secret that others may read is no
// secret.
func resolve(ref string, lookup func(string) (string, bool)) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, _ := lookup(name)
		if v == "" {
			return "", fault.New(fault.Unprocessable, "the environment has no %s", name)
		}
		return v, nil
	}
	file := strings.TrimPrefix(ref, "file:")
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fault.New(fault.Unprocessable, "others may read this secret").At(file).Mend("chmod 600 %s", file)
	}
	if info.Size() > 4096 {
		return "", fault.New(fault.Unprocessable, "a secret has at most 4096 bytes").At(file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(b))
	if len(secret) < 16 {
		return "", fault.New(fault.Unprocessable, "a secret has at least 16 letters").At(file)
	}
	return secret, nil
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
