package actions

import (
	"context"
	"strconv"
	"time"

	"vigil/actions/declare"
	"vigil/actions/param"
	"vigil/actions/supervise"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// process starts, restarts and stops what `[[process]]` names.
type process struct{ keeper *supervise.Supervisor }

func newProcess(s *Set, _ Config) (remedy.Action, error) { return process{s.keeper}, nil }

// newDeclare builds the kind for documents; none where they bring no commands.
func newDeclare(s *Set, c Config) (remedy.Action, error) {
	if !c.Heal.Processes {
		return nil, nil
	}
	return declare.New(declare.Deps{Keeper: s.keeper, Contents: s.contents, Refused: c.Heal.Refused}), nil
}

// Resolve: process (name, required), verb (start, restart, stop; default start).
func (a process) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, _, spec, err := a.read(r)
	return spec, err
}

func (a process) read(r remedy.Request) (name, verb string, s remedy.Spec, err error) {
	p := param.Read(r.With)
	name = p.Text("process", true)
	verb = p.Choice("verb", "start", "start", "restart", "stop")
	if name != "" && !a.keeper.Has(name) {
		var names []string
		for _, i := range a.keeper.List() {
			names = append(names, i.Name)
		}
		p.Add(fault.Issue{Place: "with.process", Msg: "there is no [[process]] " + strconv.Quote(name) + " in the config; the processes there: " + param.List(names), Hint: param.Suggest(name, names)})
	}
	if err := p.Err(); err != nil {
		return "", "", remedy.Spec{}, err
	}
	s = remedy.Spec{Subject: "process:" + name, Kind: "process", Class: remedy.Convergent, Timeout: time.Minute, Summary: verb + " process " + name}
	if verb != "start" { // a start ends nothing, so it costs nothing and hides no evidence
		s.Cost, s.Capture = 2, true
	}
	return name, verb, s, nil
}

func (a process) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	name, verb, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	ctx, stop := bounded(ctx, r, spec)
	defer stop()
	do := map[string]func(context.Context, string) (supervise.Info, error){
		"start": a.keeper.Start, "restart": a.keeper.Restart, "stop": a.keeper.Stop,
	}[verb]
	i, err := do(ctx, name)
	data := map[string]any{"pid": i.Pid, "changed": i.Changed}
	switch fault.KindOf(err) {
	case fault.OK:
		return remedy.Result{OK: true, Data: data}, nil
	case fault.Timeout, fault.Conflict:
		return remedy.Result{Error: err.Error(), TimedOut: ctx.Err() == context.DeadlineExceeded, Data: data}, nil
	}
	return remedy.Result{}, err
}

// Lasts waits until the process that a start or restart brought up has stood for
// its hold, or has ended. A stop brings up nothing.
func (a process) Lasts(ctx context.Context, r remedy.Request) (string, error) {
	name, verb, _, err := a.read(r)
	if err != nil || verb == "stop" {
		return "", err
	}
	return a.keeper.Lasts(ctx, name)
}

// bounded is ctx with the request's timeout, or the kind's when it names none.
func bounded(ctx context.Context, r remedy.Request, s remedy.Spec) (context.Context, context.CancelFunc) {
	d := r.Timeout
	if d <= 0 {
		d = s.Timeout
	}
	return context.WithTimeout(ctx, d)
}
