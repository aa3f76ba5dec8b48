package ledger

import (
	"context"
	"crypto/subtle"
	"sync"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
)

// PutToken stores a new token, or one of the same name again, and records who
// did it. Conflict: another name has the same secret, or the role is none.
func (l *Ledger) PutToken(ctx context.Context, actor string, k engine.Token) error {
	return l.write(ctx, false, func(t *table.Tx) error {
		if err := t.PutToken(k); err != nil {
			return err
		}
		reason := "role " + k.Role
		if !k.Expires.IsZero() {
			reason += " until " + k.Expires.Time().Format("2006-01-02T15:04:05Z")
		}
		return t.Chain(audit.Record{At: l.deps.Clock(), Actor: actor, Verb: "token.put", Object: "token:" + k.Name, Reason: reason})
	})
}

// DeleteToken removes a token and records who did it. NotFound: there is none.
func (l *Ledger) DeleteToken(ctx context.Context, actor, name string) error {
	return l.write(ctx, false, func(t *table.Tx) error {
		if err := t.DeleteToken(name); err != nil {
			return err
		}
		return t.Chain(audit.Record{At: l.deps.Clock(), Actor: actor, Verb: "token.delete", Object: "token:" + name, Reason: "removed"})
	})
}

// Tokens lists every token by name.
func (l *Ledger) Tokens(ctx context.Context) (out []engine.Token, err error) {
	return l.tokens(ctx, "true", conn.Row{})
}

// TokenByHash finds the token whose secret has this SHA-256. NotFound: none has.
// Whether it expired is the caller's to judge.
func (l *Ledger) TokenByHash(ctx context.Context, hash [32]byte) (engine.Token, error) {
	var row conn.Row
	row.Blob(hash[:])
	ks, err := l.tokens(ctx, "hash = ?", row)
	if err != nil {
		return engine.Token{}, err
	}
	if len(ks) == 0 || subtle.ConstantTimeCompare(ks[0].Hash[:], hash[:]) != 1 {
		return engine.Token{}, fault.New(fault.NotFound, "no such token")
	}
	return ks[0], nil
}

func (l *Ledger) tokens(ctx context.Context, where string, row conn.Row) (out []engine.Token, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		out, err = table.Tokens(ctx, c, where, row)
		return err
	})
	return out, err
}

// uses remembers when tokens were presented until Run writes it down.
type uses struct {
	mu   sync.Mutex
	last map[string]clock.Stamp
}

// TokenUsed notes that a token was presented; it does not block, and is written
// within a minute while Run runs. It is a convenience, not evidence.
func (l *Ledger) TokenUsed(name string, at clock.Stamp) {
	l.used.mu.Lock()
	defer l.used.mu.Unlock()
	if l.used.last == nil {
		l.used.last = map[string]clock.Stamp{}
	}
	if len(l.used.last) < maxList {
		l.used.last[name] = at
	}
}

func (l *Ledger) writeUses(ctx context.Context) error {
	l.used.mu.Lock()
	last := l.used.last
	l.used.last = nil
	l.used.mu.Unlock()
	if len(last) == 0 {
		return nil
	}
	ks, err := l.Tokens(ctx)
	if err != nil {
		return err
	}
	return l.write(ctx, false, func(t *table.Tx) error {
		for _, k := range ks {
			at, ok := last[k.Name]
			if !ok {
				continue
			}
			k.Used = at
			if err := t.TouchToken(k); err != nil {
				return err
			}
		}
		return nil
	})
}
