// Package policies is the policies of the management face: made, changed, read
// and tried, in the original's shapes and in ours.
//
// Whatever shape a policy comes in, it is turned into a document and read by
// the one reader of documents, so it means what its YAML would mean. The
// answers carry the original's fields and ours.
//
// It refuses to compile or evaluate anything itself. Handlers may be called
// concurrently; changes of policies are made one after the other, so that
// If-Match means what it says.
package policies

import (
	"context"
	"sync"

	"vigil/engine"
	"vigil/engine/document"
)

// Engine is the verbs of the engine that are called from here.
type Engine interface {
	PutPolicy(ctx context.Context, actor string, d engine.PolicyDocument, owner document.Owner, place string, create bool) (engine.PolicyView, error)
	DeletePolicy(ctx context.Context, actor, name string) error
	EnablePolicy(ctx context.Context, actor, name string, on bool) (engine.PolicyView, error)
	Policy(name string) (engine.PolicyView, error)
	Policies() []engine.PolicyView
	Evaluate(metrics map[string]float64, target string) (engine.DryRun, error)
	Firings() []engine.FiringView
	Stats() engine.Stats
}

// Deps is what the handlers need. Reload may be nil: then there is no folder.
type Deps struct {
	Engine Engine
	Ready  func() (reasons, degraded []string)
	Reload func(ctx context.Context, actor string) (policies int, err error)
	Clock  engine.Clock
}

// Policies is the handlers.
type Policies struct {
	Deps
	editing sync.Mutex // a policy is read and then written
}

// New makes the handlers; it starts nothing.
func New(d Deps) *Policies { return &Policies{Deps: d} }
