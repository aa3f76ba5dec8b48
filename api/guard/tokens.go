package guard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Tokens is where tokens lie; the ledger satisfies it. It blocks on disk.
// DeleteToken is NotFound for a name that does not exist.
type Tokens interface {
	TokenByHash(ctx context.Context, hash [32]byte) (engine.Token, error)
	Tokens(ctx context.Context) ([]engine.Token, error)
	PutToken(ctx context.Context, actor string, t engine.Token) error
	DeleteToken(ctx context.Context, actor, name string) error
}

// usage is a store that remembers when tokens were presented. It does not block.
type usage interface {
	TokenUsed(name string, at clock.Stamp)
}

// prefix lets secret scanners and people know what they look at.
const prefix = "vgl_"

// NewSecret makes a token's secret text (256 random bits) and its hash.
func NewSecret() (secret string, hash [32]byte) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	secret = prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, Hash(secret)
}

// Hash is the SHA-256 of a secret. A fast hash will do: the secret has 256 bits
// of its own and cannot be guessed.
func Hash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// nameRule is what a token may be called; the name stands in the audit.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// Keyring holds all tokens in memory, so that a wrong one costs no disk. It is
// the one way tokens change while vigild runs, which keeps it true.
type Keyring struct {
	store   Tokens
	clock   clock.Clock
	editing sync.Mutex // one change of the store, and the picture of it, at a time

	mu     sync.RWMutex
	fixed  []engine.Token // from the local config
	byHash map[[32]byte]engine.Token

	newest atomic.Int64 // highest wall clock seen, µs: a clock set back revives no token
}

// NewKeyring makes an empty keyring; Load fills it. fixed are tokens of the
// local config, which the API can neither change nor delete.
func NewKeyring(store Tokens, fixed []engine.Token, now clock.Clock) (*Keyring, error) {
	if err := checkFixed(fixed); err != nil {
		return nil, err
	}
	return &Keyring{store: store, clock: now, fixed: fixed, byHash: map[[32]byte]engine.Token{}}, nil
}

func checkFixed(fixed []engine.Token) error {
	for i, t := range fixed {
		if !nameRule.MatchString(t.Name) {
			return badName(t.Name)
		}
		if _, err := ParseRole(t.Role); err != nil {
			return err
		}
		for _, o := range fixed[:i] {
			if o.Name == t.Name || o.Hash == t.Hash {
				return fault.New(fault.Unprocessable, "tokens %q and %q of the config are the same", o.Name, t.Name)
			}
		}
	}
	return nil
}

// Adopt puts other tokens of the local config in force. On an error those of
// before stay.
func (k *Keyring) Adopt(ctx context.Context, fixed []engine.Token) error {
	if err := checkFixed(fixed); err != nil {
		return err
	}
	k.editing.Lock()
	defer k.editing.Unlock()
	k.mu.Lock()
	old := k.fixed
	k.fixed = fixed
	k.mu.Unlock()
	err := k.load(ctx)
	if err != nil {
		k.mu.Lock()
		k.fixed = old
		k.mu.Unlock()
	}
	return err
}

func (k *Keyring) config() []engine.Token {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.fixed
}

func badName(name string) error {
	return fault.New(fault.Unprocessable, "%q cannot be the name of a token", name).
		Mend("use 1 to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit")
}

// Load reads all tokens. It blocks on disk.
func (k *Keyring) Load(ctx context.Context) error {
	k.editing.Lock()
	defer k.editing.Unlock()
	return k.load(ctx)
}

// load is Load under editing: what was read is in force before another change
// of the store can be read, so no older picture replaces a newer one.
func (k *Keyring) load(ctx context.Context) error {
	stored, err := k.store.Tokens(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m := make(map[[32]byte]engine.Token, len(stored)+len(k.fixed))
	for _, t := range stored {
		m[t.Hash] = t
	}
	for _, t := range k.fixed {
		m[t.Hash] = t
	}
	k.byHash = m
	return nil
}

// Find returns the token of a secret: Unauthenticated when there is none or it
// has expired. It does not block on disk.
func (k *Keyring) Find(secret string) (engine.Token, error) {
	hash := Hash(secret)
	k.mu.RLock()
	t, ok := k.byHash[hash]
	k.mu.RUnlock()
	// The map compared hashes already; a hash that is guessed byte by byte does
	// not lead to its secret. Constant time costs nothing and needs no argument.
	if !ok || subtle.ConstantTimeCompare(t.Hash[:], hash[:]) != 1 {
		return engine.Token{}, notGood()
	}
	if k.expired(t) {
		return engine.Token{}, notGood()
	}
	if u, ok := k.store.(usage); ok && !k.Fixed(t.Name) {
		u.TokenUsed(t.Name, k.clock())
	}
	return t, nil
}

// notGood is the one answer to a token that opens nothing: it does not tell who
// guesses, or found an old one, whether it ever did.
func notGood() error {
	return fault.New(fault.Unauthenticated, "the token that was sent is not known here, or has expired").
		Mend("`vigild token list` names those that are there; `vigild token create NAME --role ROLE` makes one")
}

func (k *Keyring) expired(t engine.Token) bool {
	if t.Expires.IsZero() {
		return false
	}
	now := k.clock().Wall
	for {
		seen := k.newest.Load()
		if now <= seen {
			now = seen
			break
		}
		if k.newest.CompareAndSwap(seen, now) {
			break
		}
	}
	return now >= t.Expires.Wall
}

// List is every token, those of the config last.
func (k *Keyring) List(ctx context.Context) ([]engine.Token, error) {
	ts, err := k.store.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	return append(ts, k.config()...), nil
}

// Fixed says that a token stands in the local config.
func (k *Keyring) Fixed(name string) bool {
	for _, t := range k.config() {
		if t.Name == name {
			return true
		}
	}
	return false
}

// Create makes a token and returns its secret, which is shown once.
func (k *Keyring) Create(ctx context.Context, actor, name, role string, expires clock.Stamp) (engine.Token, string, error) {
	if !nameRule.MatchString(name) {
		return engine.Token{}, "", badName(name)
	}
	if _, err := ParseRole(role); err != nil {
		return engine.Token{}, "", err
	}
	k.editing.Lock()
	defer k.editing.Unlock()
	all, err := k.List(ctx)
	if err != nil {
		return engine.Token{}, "", err
	}
	for _, t := range all {
		if t.Name == name {
			return engine.Token{}, "", fault.New(fault.Conflict, "Token '%s' already exists", name).Mend("delete it first, or choose another name")
		}
	}
	secret, hash := NewSecret()
	t := engine.Token{Name: name, Hash: hash, Role: role, Created: k.clock(), Expires: expires}
	if err := k.store.PutToken(ctx, actor, t); err != nil {
		return engine.Token{}, "", err
	}
	return t, secret, k.load(ctx)
}

// First makes the token of the first start, when there is none of any kind yet,
// and writes its secret into a file that only its owner can read. made is false
// when there was a token already. A file of that name that is there without a
// token in the store (a ledger that was taken away) is replaced.
func (k *Keyring) First(ctx context.Context, path string) (made bool, err error) {
	k.editing.Lock()
	defer k.editing.Unlock()
	ts, err := k.List(ctx)
	if err != nil || len(ts) > 0 {
		return false, err
	}
	// The file first: a token whose secret nobody holds would be of no use, and
	// would keep the next start from making another.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fault.Wrap(fault.Unavailable, err, "cannot replace the file of the first token")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, fault.Wrap(fault.Unavailable, err, "cannot write the file of the first token")
	}
	secret, hash := NewSecret()
	_, err = f.WriteString(secret + "\n")
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return false, fault.Wrap(fault.Unavailable, err, "cannot write the file of the first token")
	}
	if err := k.store.PutToken(ctx, "vigild", engine.Token{Name: "first", Hash: hash, Role: Admin.String(), Created: k.clock()}); err != nil {
		return false, err
	}
	return true, k.load(ctx)
}

// Delete revokes a token; it is refused from this call's return on.
func (k *Keyring) Delete(ctx context.Context, actor, name string) error {
	if k.Fixed(name) {
		return fault.New(fault.Conflict, "Token '%s' stands in the local config", name).Mend("take it out there")
	}
	k.editing.Lock()
	defer k.editing.Unlock()
	if err := k.store.DeleteToken(ctx, actor, name); err != nil {
		return err
	}
	return k.load(ctx)
}

// Bearer reads the secret from an Authorization header: `Bearer SECRET`, or
// `Token SECRET` as line protocol clients write it. given is false without one.
func Bearer(header string) (secret string, given bool, err error) {
	if header == "" {
		return "", false, nil
	}
	scheme, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimSpace(rest)
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Token") || rest == "" || len(rest) > 512 {
		return "", true, fault.New(fault.Unauthenticated, "the Authorization header is not understood").Mend("send `Authorization: Bearer TOKEN`")
	}
	return rest, true, nil
}

// Password reads the secret from an Authorization header as git sends it:
// `Basic` of any name and the token, or what Bearer takes. A name without a
// password is no credential: git shows its URL's name before it asks.
func Password(header string) (secret string, given bool, err error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Bearer(header)
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	_, secret, ok := strings.Cut(string(text), ":")
	if err != nil || !ok || len(secret) > 512 {
		return "", true, fault.New(fault.Unauthenticated, "the Authorization header is not understood").Mend("give the token as the password, whatever the name")
	}
	return secret, secret != "", nil
}
