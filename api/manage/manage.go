// Package manage is the management face but for policies: actions, queue,
// holds, audit and why, series, tokens and status, as operations of the OpenAPI
// document.
//
// A handler reads its input (checked against the rules that api/contract
// declares), calls one verb of the engine or reads from the ledger, and turns
// the answer into the contract's shape. It decides nothing: what is refused is
// refused by the engine, and here only said in the original's words.
//
// It refuses unbounded answers, and state beyond the queue's short history and
// the counts of actions, which Run keeps and a restart forgets. Handlers may be
// called concurrently.
package manage

import (
	"context"
	"log/slog"
	"sync"

	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/check"
	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Engine is the verbs of the engine that are called from here.
type Engine interface {
	CreateAction(ctx context.Context, actor string, r engine.ActionRequest) (remedy.Remediation, error)
	CancelAction(ctx context.Context, actor string, id int64, reason string) (before remedy.Remediation, err error)
	RetryAction(ctx context.Context, actor string, id int64) (remedy.Remediation, error)
	ApproveAction(ctx context.Context, actor string, id int64) (remedy.Remediation, error)
	ResolveAction(ctx context.Context, actor string, id int64, done bool, reason string) (remedy.Remediation, error)
	SetActionStatus(ctx context.Context, actor string, id int64, status, details, errMsg string) (before, after remedy.Remediation, err error)

	PutHold(ctx context.Context, actor string, h engine.Hold) (engine.Hold, error)
	ReleaseHold(ctx context.Context, actor, id string) error
	Holds() []engine.Hold

	Why(ctx context.Context, id int64) (engine.Story, error)
	WhyNot(ctx context.Context, policyName, target string) (engine.Story, error)

	Stats() engine.Stats
}

// Samples is what is read back of the time-series store.
type Samples interface {
	Select(ctx context.Context, sel series.Selector, mint, maxt int64) (engine.Cursor, error)
}

// Deps is what the handlers need.
type Deps struct {
	Engine   Engine
	Reader   engine.Reader
	Samples  Samples
	Keys     *guard.Keyring
	Clock    clock.Clock
	Log      *slog.Logger
	Version  string
	Node     string
	Auth     string
	Started  clock.Stamp
	Ready    func() (reasons, degraded []string)
	Ingested func() uint64
	Checks   func() []check.CheckStats                                      // nil: there are none
	Backup   func(ctx context.Context, dir string) error                    // nil: not here
	Confirm  func(ctx context.Context, actor string) error                  // that the wall clock is right; nil: not here
	Prune    func(ctx context.Context, actor string, upto audit.Head) error // audit records; nil: not here
	// Verify walks the audit chain between its two ends, which it knows, and tells
	// how many records were good so far; nil: not here.
	Verify    func(ctx context.Context, progress func(n int64)) (audit.Head, error)
	Catalogue func() []engine.ActionView // nil: not here
}

// Manage is the management face.
type Manage struct {
	Deps
	history history
	acts    acts

	// Held while the whole chain is read, which is dear, and while its beginning is
	// taken away, which would look like damage to who reads it.
	verifying sync.Mutex
}

// New makes the face; it starts nothing.
func New(d Deps) *Manage {
	m := &Manage{Deps: d}
	m.acts.init()
	return m
}

// Register adds every operation to the face.
func (m *Manage) Register(r *face.Registrar) {
	m.actions(r)
	m.catalogue(r)
	m.queue(r)
	m.queueDebug(r)
	m.holds(r)
	m.audits(r)
	m.whys(r)
	m.seriesRoutes(r)
	m.tokens(r)
	m.backups(r)
	m.status(r)
}
