package units

import (
	"context"
	"strings"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// processSpec is a document of kind Process. Without argv it names a process of the
// local config, which has the command; with argv it brings the command itself, in
// the words of a [[process]], and the document alone says what is kept.
type processSpec struct {
	reconcile.Common `yaml:",inline"`
	Process          string `yaml:"process"` // the document's name by default
	State            string `yaml:"state"`   // running (default) or stopped
	commandSpec      `yaml:",inline"`
}

// process is one process that vigild keeps.
type process struct {
	key     reconcile.Key
	name    string
	running bool
	absent  bool
	old     bool               // an orphan: only what a document declared is taken away
	command *reconcile.Command // nil: the local config has it
}

// Process reads a document of this kind.
func Process(s *site.Site) site.Resource {
	v := processSpec{Common: s.Common}
	s.Decode(&v)
	s.Common = v.Common
	if v.Process == "" {
		v.Process = s.Doc.Name
	}
	if !processName.MatchString(v.Process) {
		s.Bad("process", "%q is not the name of a process: lower-case letters, digits, '-', '_', '.', at most 63", v.Process)
	}
	state := s.OneOf("state", v.State, "running", "stopped")
	return &process{name: v.Process, running: state == "running" && v.Mode != reconcile.Absent, absent: v.Mode == reconcile.Absent, command: v.command(s),
		key: reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "process:" + v.Process}}
}

func (p *process) Key() reconcile.Key { return p.key }
func (p *process) Wants() any {
	if p.command == nil { // as long as there were no commands
		return []any{p.key, p.running}
	}
	return []any{p.key, p.running, p.command}
}
func (p *process) Claims() []string { return []string{p.key.Subject} }

// current says whether what runs was started with the command as it stands.
const current = "current"

func (p *process) Observe(ctx context.Context, w reconcile.World) (reconcile.Observed, error) {
	got, err := w.Process(ctx, p.name)
	switch {
	case err != nil:
		return reconcile.Observed{}, err
	case got.Known && got.Command == nil && p.command != nil && !p.absent:
		return reconcile.Observed{}, fault.New(fault.Conflict, "process %s is a [[process]] of the local config, and its command stands there alone", p.name).At(p.key.Ref()).
			Mend("leave out argv, or give the process of the document another name")
	case p.command == nil && !p.absent && (!got.Known || got.Command != nil):
		return reconcile.Observed{}, fault.New(fault.NotFound, "there is no [[process]] %q in the local config", p.name).At(p.key.Ref()).
			Mend("add one there, or give the document an argv, which needs git.trust_commands")
	case !got.Known:
		return reconcile.Observed{State: reconcile.State{reconcile.Exists: reconcile.No}}, nil
	}
	st := reconcile.State{reconcile.Exists: reconcile.Yes, "running": site.Truth(got.Running)}
	if got.Command != nil {
		got.Command.Into(st, hiddenSum)
		st[current] = site.Truth(got.Current || !got.Running)
	}
	return reconcile.Observed{State: st, Rising: got.Running && got.Rising}, nil
}

// declared says that a state is that of a process which a document declared.
func declared(st reconcile.State) bool { return st["argv"] != "" }

func (p *process) desired(seen reconcile.State) reconcile.State {
	if p.absent && (declared(seen) || seen[reconcile.Exists] == reconcile.No) {
		return reconcile.State{reconcile.Exists: reconcile.No}
	}
	st := reconcile.State{reconcile.Exists: reconcile.Yes, "running": site.Truth(p.running)}
	if p.command != nil && !p.absent { // what is the local config's is not taken away, but stopped
		p.command.Into(st, hiddenSum)
		st[current] = reconcile.Yes
	}
	return st
}

func (p *process) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	if p.old && seen.State[reconcile.Exists] == reconcile.Yes && !declared(seen.State) {
		return nil // the name is the local config's now
	}
	want := p.desired(seen.State)
	ds := reconcile.Diff(want, last, seen.State)
	if seen.Rising && len(ds) == 0 && p.command != nil && p.running && len(reconcile.Diff(want, nil, last)) > 0 {
		// It never stood as it is wanted now, and that it was started proves nothing.
		return []reconcile.Difference{{Field: "running", Wanted: reconcile.Yes, Found: "starting", Class: reconcile.Pending}}
	}
	for i, d := range ds {
		if strings.HasPrefix(d.Field, reconcile.EnvField) && (strings.HasPrefix(d.Wanted, sumOf) || strings.HasPrefix(d.Found, sumOf)) {
			ds[i].Wanted, ds[i].Found = untold(d.Wanted), untold(d.Found)
		}
	}
	return ds
}

// sumOf begins what stands for a value that was sealed: it is remembered by its sum,
// and not even that is told, since who has the sum of a short secret can guess it.
const sumOf = "sha256 "

func hiddenSum(v string) string { return sumOf + site.Sum([]byte(v)) }

func untold(v string) string {
	if v == "" {
		return ""
	}
	return "(not shown: it is sealed)"
}

func (p *process) Heal(seen reconcile.Observed, diffs []reconcile.Difference) []reconcile.Step {
	if len(diffs) == 0 {
		return nil
	}
	if p.absent && declared(seen.State) {
		return []reconcile.Step{forget(p.name, seen.State)}
	}
	if p.command != nil && !p.absent {
		return []reconcile.Step{p.declare(seen.State)}
	}
	verb := "stop"
	if p.running {
		verb = "start"
	}
	return []reconcile.Step{{Action: "process", With: map[string]any{"process": p.name, "verb": verb}, Summary: verb + " process " + p.name}}
}

// declare is the step that keeps the process as the document says.
func (p *process) declare(seen reconcile.State) reconcile.Step {
	b := p.command.Bytes()
	verb, says := "run", "run process "
	switch {
	case !p.running:
		verb, says = "hold", "keep stopped process "
	case seen["running"] == reconcile.Yes:
		says = "restart process "
	}
	return reconcile.Step{Action: "declare", Content: b, Summary: says + p.name + ": " + told(p.command.Argv),
		With: map[string]any{"process": p.name, "verb": verb, "sha256": site.Sum(b), "within": (p.command.Patience() + patience(seen)).String()}}
}

// forget is the step that ends a process which a document declared.
func forget(name string, seen reconcile.State) reconcile.Step {
	return reconcile.Step{Action: "declare", With: map[string]any{"process": name, "verb": "remove", "within": patience(seen).String()}, Summary: "stop and remove process " + name}
}

// told is a command line for people, and not all of it.
func told(argv []string) string {
	s := strings.Join(argv, " ")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:77], "") + "..."
	}
	return s
}

// RetireProcess ends a process that a document declared; nil: what the local config
// has is not the documents' to take away.
func RetireProcess(key reconcile.Key, last reconcile.State) reconcile.Resource {
	if !declared(last) {
		return nil
	}
	return &process{key: key, name: strings.TrimPrefix(key.Subject, "process:"), absent: true, old: true}
}
