package units

import (
	"context"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// processSpec is a document of kind Process. It names a process of the local
// config, whose argv, user and environment stand there alone.
type processSpec struct {
	reconcile.Common `yaml:",inline"`
	Process          string        `yaml:"process"` // the document's name by default
	State            string        `yaml:"state"`   // running (default) or stopped
	Argv             document.Node `yaml:"argv"`    // refused, with a hint
}

type process struct {
	key     reconcile.Key
	name    string
	running bool
}

// Process reads a document of this kind.
func Process(s *site.Site) site.Resource {
	v := processSpec{Common: s.Common}
	s.Decode(&v)
	s.Common = v.Common
	if v.Process == "" {
		v.Process = s.Doc.Name
	}
	if !v.Argv.Absent() {
		s.Mend("argv", "write a [[process]] into the local config and name it here", "the command of a process stands in the local config, not in a document")
	}
	state := s.OneOf("state", v.State, "running", "stopped")
	return &process{name: v.Process, running: state == "running" && v.Mode != reconcile.Absent,
		key: reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "process:" + v.Process}}
}

func (p *process) Key() reconcile.Key { return p.key }
func (p *process) Wants() any         { return []any{p.key, p.running} }
func (p *process) Claims() []string   { return []string{p.key.Subject} }

func (p *process) Observe(ctx context.Context, w reconcile.World) (reconcile.Observed, error) {
	got, err := w.Process(ctx, p.name)
	if err != nil {
		return reconcile.Observed{}, err
	}
	if !got.Known {
		return reconcile.Observed{}, fault.New(fault.NotFound, "there is no [[process]] %q in the local config", p.name).At(p.key.Ref())
	}
	return reconcile.Observed{State: reconcile.State{reconcile.Exists: reconcile.Yes, "running": site.Truth(got.Running)}}, nil
}

func (p *process) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	return reconcile.Diff(reconcile.State{"running": site.Truth(p.running)}, last, seen.State)
}

func (p *process) Heal(_ reconcile.Observed, diffs []reconcile.Difference) []reconcile.Step {
	if len(diffs) == 0 {
		return nil
	}
	verb := "stop"
	if p.running {
		verb = "start"
	}
	return []reconcile.Step{{Action: "process", With: map[string]any{"process": p.name, "verb": verb}, Summary: verb + " process " + p.name}}
}
