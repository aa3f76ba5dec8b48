package revision_test

import (
	"context"
	"path/filepath"
	"sync"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// acts are the rig's actions, and what was done by them; some lie or fail.
type acts struct {
	remedy.Actions
	mu        sync.Mutex
	done      []string        // names of the files, in the order of the ends
	lies      map[string]bool // says that it was done, and does nothing
	bad       map[string]bool
	shut      map[string]bool   // known beforehand to be impossible
	meanwhile map[string]func() // happens to a file before the act begins
}

// watchActs is called before start.
func (r *rig) watchActs() *acts {
	w := &acts{lies: map[string]bool{}, bad: map[string]bool{}, shut: map[string]bool{}, meanwhile: map[string]func(){}}
	r.acts = func(a remedy.Actions) remedy.Actions { w.Actions = a; return w }
	return w
}

// taken is what was done since it was last asked.
func (w *acts) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := w.done
	w.done = nil
	return done
}

func (w *acts) lie(name string)  { w.mu.Lock(); w.lies[name] = true; w.mu.Unlock() }
func (w *acts) fail(name string) { w.mu.Lock(); w.bad[name] = true; w.mu.Unlock() }

func (w *acts) close(name string) { w.mu.Lock(); w.shut[name] = true; w.mu.Unlock() }

func (w *acts) Action(name string) (remedy.Action, bool) {
	a, ok := w.Actions.Action(name)
	if !ok {
		return nil, false
	}
	return watched{a, w}, true
}

// watched is one action of the rig, which are all heal kinds.
type watched struct {
	remedy.Action
	w *acts
}

func (a watched) Undo(ctx context.Context, r remedy.Request) (remedy.Request, error) {
	return a.Action.(remedy.Undoer).Undo(ctx, r)
}

func (a watched) Foresee(r remedy.Request, f *foresee.Ahead) error {
	p, _ := r.With["path"].(string)
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	if a.w.shut[filepath.Base(p)] {
		return fault.New(fault.Forbidden, "%s cannot be written (%d bytes)", filepath.Base(p), f.Bytes).Mend("open it")
	}
	return nil
}

func (a watched) Done(ctx context.Context, r remedy.Request) (bool, error) {
	return a.Action.(remedy.Prober).Done(ctx, r)
}

func (a watched) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	p, _ := r.With["path"].(string)
	name := filepath.Base(p)
	a.w.mu.Lock()
	lies, bad, meanwhile := a.w.lies[name], a.w.bad[name], a.w.meanwhile[name]
	a.w.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	if bad {
		return remedy.Result{}, fault.New(fault.Conflict, "%s cannot be done", name)
	}
	res, err := remedy.Result{OK: true}, error(nil)
	if !lies {
		res, err = a.Action.Run(ctx, r)
	}
	a.w.mu.Lock()
	a.w.done = append(a.w.done, name)
	a.w.mu.Unlock()
	return res, err
}

// owned is vigild's own documents of a rig.
type owned struct {
	mu      sync.Mutex
	wrong   string   // Check says so
	fails   string   // the commit that Adopt refuses
	says    []string // Check does, of any documents; else that it makes one
	adopted []string
}

func (o *owned) Check(context.Context, []document.Document) ([]string, fault.Issues) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wrong != "" {
		return nil, fault.Issues{{Place: "all.yaml:1:1", Msg: o.wrong}}
	}
	if o.says != nil {
		return o.says, nil
	}
	return []string{"create Policy/disk"}, nil
}

func (o *owned) Adopt(_ context.Context, commit string, _ []document.Document) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.adopted = append(o.adopted, commit)
	if commit != "" && commit == o.fails {
		return fault.New(fault.Conflict, "its policies do not fit")
	}
	return nil
}

func (*owned) Actions([]document.Document) remedy.Actions { return nil }

func (*owned) HasCheck(_ []document.Document, name string) bool { return name != "nonesuch" }

func (*owned) Restore([]engine.CheckRow) error { return nil }

// last is the commit whose documents were adopted last.
func (o *owned) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.adopted) == 0 {
		return "none"
	}
	return o.adopted[len(o.adopted)-1]
}
