// Package declare is the kind of action that keeps a process whose command a
// document brings.
//
// It is the desired state's alone: what a policy, a person or a notify asks of a
// process is the kind process. It is convergent and can be undone: what was kept
// before is kept again. It refuses vigild's own programs, and what this host could
// not start. Nothing runs but during a call, beside what is kept; concurrent.
package declare

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"vigil/actions/blob"
	"vigil/actions/launch"
	"vigil/actions/launch/trust"
	"vigil/actions/param"
	"vigil/actions/supervise"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// Deps is what the kind needs.
type Deps struct {
	Keeper   *supervise.Supervisor
	Contents *blob.Store // where definitions lie by their sum
	Refused  []string    // vigild's own: never a program
}

// Kind is its name, which steps of the desired state alone use.
const Kind = "declare"

type declare struct{ Deps }

// New makes the kind.
func New(d Deps) remedy.Action { return declare{d} }

// declared is what a request says: verb run (as the definition says), hold (by that
// definition, stopped) or remove.
type declared struct{ name, verb, sum string }

var hexSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// maxWithin is the most that stopping and starting may take.
const maxWithin = 4 * time.Hour

// Resolve: process (name, required), verb (run, hold, remove; default run), sha256
// (of the definition, which is kept as content; needed but for remove), within (how
// long stopping one and starting the other may take; default 1m).
func (a declare) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, s, err := a.read(r)
	return s, err
}

func (a declare) read(r remedy.Request) (d declared, s remedy.Spec, err error) {
	if r.Source != remedy.FromReconcile { // before its parameters, which nobody else is told of
		return d, s, fault.New(fault.Unprocessable, "declare is for documents of kind Process alone").At("process").Mend("the action process starts, restarts and stops")
	}
	p := param.Read(r.With)
	d.name, d.verb, d.sum = p.Text("process", true), p.Choice("verb", "run", "run", "hold", "remove"), p.Text("sha256", false)
	within := p.Span("within", time.Minute, maxWithin)
	switch {
	case d.verb == "remove" && d.sum != "":
		p.Bad("sha256", "what is removed has no definition")
	case d.verb != "remove" && !hexSum.MatchString(d.sum):
		p.Bad("sha256", "%q is no sha256 in hex", d.sum)
	}
	if err := p.Err(); err != nil {
		return d, s, err
	}
	verb := map[string]string{"run": "run process ", "hold": "keep stopped process ", "remove": "remove process "}[d.verb]
	return d, remedy.Spec{Subject: "process:" + d.name, Kind: Kind, Class: remedy.Convergent, Cost: 2, Timeout: within, Summary: verb + d.name}, nil
}

func (a declare) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	d, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	if r.Timeout > 0 {
		spec.Timeout = r.Timeout
	}
	ctx, stop := context.WithTimeout(ctx, spec.Timeout)
	defer stop()
	var i supervise.Info
	if d.verb == "remove" {
		i, err = a.Keeper.Forget(ctx, d.name)
	} else {
		var raw []byte
		if raw, err = a.definition(d); err == nil {
			if err = a.startable(d, raw, nil); err == nil {
				i, err = a.Keeper.Declare(ctx, d.name, raw, d.verb == "run")
			}
		}
	}
	data := map[string]any{"pid": i.Pid, "changed": i.Changed}
	switch fault.KindOf(err) {
	case fault.OK:
		return remedy.Result{OK: true, Data: data}, nil
	case fault.Timeout, fault.Conflict:
		return remedy.Result{Error: err.Error(), TimedOut: ctx.Err() == context.DeadlineExceeded, Data: data}, nil
	}
	return remedy.Result{}, err
}

// definition is the bytes that are wanted. They were lent, and lost if vigild ended
// since: what it had on disk by then is as good.
func (a declare) definition(d declared) ([]byte, error) {
	raw, err := a.Contents.Get(d.sum)
	if fault.KindOf(err) != fault.NotFound {
		return raw, err
	}
	if have, ok := a.Keeper.Definition(d.name); ok && blob.Sum(have) == d.sum {
		return have, nil
	}
	return nil, err
}

// Foresee says what would stop a process of the definition that the act brings along
// on this host: see foresee.Foreseer.
func (a declare) Foresee(r remedy.Request, f *foresee.Ahead) error {
	d, _, err := a.read(r)
	if err != nil || d.verb == "remove" {
		return err
	}
	after := f.Programs
	if d.verb == "run" {
		f.Programs = true
	}
	return a.startable(d, f.Content, func(path string, want foresee.Left) bool {
		left, known := f.At(path)
		return after || known && left == want
	})
}

// startable says what would stop a process of this definition. What made says an act
// before this one makes is not looked for; that may be nil.
func (a declare) startable(d declared, raw []byte, made func(path string, what foresee.Left) bool) error {
	p, err := a.Keeper.Declarable(d.name, raw)
	if err != nil || d.verb != "run" {
		return err
	}
	// vigild opens the log as itself, and shortens it.
	if dir := filepath.Dir(p.Log); filepath.IsAbs(p.Log) && (made == nil || !made(dir, foresee.Directory)) {
		_, err := trust.Path(dir)
		if fault.KindOf(err) == fault.NotFound {
			return fault.New(fault.NotFound, "the folder of the log %s is not there", p.Log).Mend("make it first, with kind: Directory, or leave log away")
		}
		if err != nil {
			return fault.Wrap(fault.Forbidden, err, "the log %s of process %s", p.Log, d.name)
		}
	}
	for _, argv := range [][]string{p.Argv, p.Ready.Exec} {
		if len(argv) == 0 {
			continue
		}
		if err := a.own(argv[0]); err != nil {
			return err
		}
		program := launch.Program{Argv: argv, Dir: p.Cwd, User: p.User, Group: p.Group}
		if made != nil && made(argv[0], foresee.File) {
			program.Argv = nil
		}
		if made != nil && made(p.Cwd, foresee.Directory) {
			program.Dir = ""
		}
		if err := launch.Startable(program); err != nil {
			return err
		}
	}
	return nil
}

// Lasts waits until what was brought up has stood for its hold, or has ended.
func (a declare) Lasts(ctx context.Context, r remedy.Request) (string, error) {
	d, _, err := a.read(r)
	if err != nil || d.verb != "run" {
		return "", err
	}
	return a.Keeper.Lasts(ctx, d.name)
}

// own refuses a program that is vigild's own, by whatever name.
func (a declare) own(program string) error {
	names := []string{filepath.Clean(program)}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		names = append(names, real)
	}
	for _, n := range names {
		if slices.ContainsFunc(a.Refused, func(own string) bool { return reconcile.Below(own, n) }) {
			return fault.New(fault.Forbidden, "%s belongs to vigild itself, which no document may start", program)
		}
	}
	return nil
}

// Undo says what keeps the process as it is kept now, or keeps it no more.
func (a declare) Undo(_ context.Context, r remedy.Request) (remedy.Request, error) {
	d, spec, err := a.read(r)
	if err != nil {
		return remedy.Request{}, err
	}
	within := spec.Timeout
	back := map[string]any{"process": d.name, "verb": "remove"}
	raw, was := a.Keeper.Definition(d.name)
	if was {
		sum, err := a.Contents.Put(raw)
		if err != nil {
			return remedy.Request{}, err
		}
		if c, err := reconcile.ReadCommand(raw); err == nil {
			within = min(within+c.Patience(), maxWithin)
		}
		back["verb"], back["sha256"] = "run", sum
		if i, ok := a.Keeper.Look(d.name); ok && i.Stopped && !i.Running {
			back["verb"] = "hold"
		}
	}
	back["within"] = within.String()
	r.With = back
	return r, nil
}
