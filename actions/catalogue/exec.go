package catalogue

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vigil/actions/launch"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// execute is an exec entry of the catalogue: one program with fixed argv.
type execute struct {
	entry
	c *Catalogue
}

func newExec(c *Catalogue, name string, e Entry) (remedy.Action, error) {
	x, err := newEntry(name, e)
	if err != nil {
		return nil, err
	}
	if e.Isolation == "unit" {
		if e.Class == remedy.Probed {
			return probedIsolated{isolated{execute{x, c}}}, nil
		}
		return isolated{execute{x, c}}, nil
	}
	if e.Class == remedy.Probed {
		return probedExec{execute{x, c}}, nil
	}
	return execute{x, c}, nil
}

// Resolve: the entry's own parameters, each required and matched whole.
func (a execute) Resolve(r remedy.Request) (remedy.Spec, error) {
	vs, err := a.values(r)
	if err != nil {
		return remedy.Spec{}, err
	}
	return a.spec(vs), nil
}

func (a execute) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	vs, err := a.values(r)
	if err != nil {
		return remedy.Result{}, err
	}
	p := a.program(a.e.Argv, r, vs)
	leave, err := a.c.admit(ctx, a.name, a.e)
	if err != nil {
		return remedy.Result{}, err
	}
	defer leave()
	o, err := a.c.deps.Launcher.Run(ctx, p)
	if err != nil {
		return remedy.Result{}, err
	}
	return a.result(ctx, o), nil
}

// admit waits for the entry's mutex and then for its own turn, always in this
// order, so that two entries cannot wait for each other.
func (c *Catalogue) admit(ctx context.Context, name string, e Entry) (leave func(), err error) {
	size := 0
	if e.Mutex != "" {
		size = 1
	}
	one, err := c.deps.Crowd.enter(ctx, "mutex "+e.Mutex, size)
	if err != nil {
		return nil, err
	}
	two, err := c.deps.Crowd.enter(ctx, "action "+name, e.Concurrency)
	if err != nil {
		one()
		return nil, err
	}
	return func() { two(); one() }, nil
}

func (a execute) program(argv []string, r remedy.Request, vs map[string]string) launch.Program {
	p := launch.Program{
		Argv: fill(argv, vs), Stdin: stdin(r, vs), Dir: a.e.Cwd, User: a.e.User, Group: a.e.Group,
		Timeout: r.Timeout, KillAfter: a.e.KillAfter, Output: a.e.Output, Limits: a.e.Limits, SHA256: a.e.SHA256,
	}
	if p.Timeout <= 0 {
		p.Timeout = a.spec(vs).Timeout
	}
	p.Env = FixedEnv()
	for _, n := range a.e.PassEnv {
		if v, ok := os.LookupEnv(n); ok {
			p.Env = append(p.Env, n+"="+v)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(a.e.Env)) {
		p.Env = append(p.Env, n+"="+a.e.Env[n])
	}
	for _, n := range slices.Sorted(maps.Keys(vs)) {
		p.Env = append(p.Env, "VIGIL_PARAM_"+varName(n)+"="+word(vs[n]))
	}
	p.Env = append(p.Env, told(r)...)
	return p
}

func (a execute) result(ctx context.Context, o launch.Outcome) remedy.Result {
	res := remedy.Result{OK: o.Exit == 0 && !o.TimedOut && !o.Cancelled, Exit: &o.Exit, Output: o.Output, TimedOut: o.TimedOut}
	if o.Left > 0 {
		res.Data = map[string]any{"left_running": o.Left}
	}
	switch {
	case o.TimedOut:
		res.Error = fmt.Sprintf("%s was killed with all it started at its timeout, after %s", a.e.Argv[0], o.Took.Round(1e6))
	case o.Cancelled:
		res.TimedOut = ctx.Err() == context.DeadlineExceeded
		res.Error = fmt.Sprintf("%s was killed with all it started: %v", a.e.Argv[0], context.Cause(ctx))
	case o.Signal != "":
		res.Error = fmt.Sprintf("%s was ended by %s", a.e.Argv[0], o.Signal)
	case o.Exit != 0:
		res.Error = fmt.Sprintf("%s exited with %d", a.e.Argv[0], o.Exit)
	}
	return res
}

// probedExec is an entry whose author gave a program that tells whether the act
// was done.
type probedExec struct{ execute }

// Done runs the probe: exit 0 is yes, 1 is no, anything else an error.
func (a probedExec) Done(ctx context.Context, r remedy.Request) (bool, error) {
	vs, err := a.values(r)
	if err != nil {
		return false, err
	}
	p := a.program(a.e.Probe, r, vs)
	p.KillRest, p.SHA256 = true, ""
	o, err := a.c.deps.Launcher.Run(ctx, p)
	switch {
	case err != nil:
		return false, err
	case o.Exit == 0 && !o.TimedOut && !o.Cancelled:
		return true, nil
	case o.Exit == 1:
		return false, nil
	}
	return false, fault.New(fault.Unavailable, "the probe of %s gave no answer: exit %d %s: %s", a.name, o.Exit, o.Signal, strings.TrimSpace(o.Output))
}

func (e Entry) validateExec(at string, is *fault.Issues) {
	for key, argv := range map[string][]string{".argv": e.Argv, ".probe": e.Probe} {
		if len(argv) == 0 {
			continue
		}
		if !filepath.IsAbs(argv[0]) {
			is.Add(at+key, "%q is not an absolute path; there is no PATH search and no shell", argv[0])
		}
		for i, a := range argv {
			if strings.ContainsRune(a, 0) {
				is.Add(fmt.Sprintf("%s%s[%d]", at, key, i), "a zero byte cannot be passed to a program")
			}
			e.whole(fmt.Sprintf("%s%s[%d]", at, key, i), a, is)
		}
	}
	if len(e.Argv) == 0 {
		is.Add(at+".argv", "argv is missing")
	}
	if e.Class == remedy.Probed && len(e.Probe) == 0 {
		is.Add(at+".probe", "class probed needs a probe: a program that exits with 0 when it was done and 1 when it was not")
	}
	if e.Cwd != "" && !filepath.IsAbs(e.Cwd) {
		is.Add(at+".cwd", "%q is not an absolute path", e.Cwd)
	}
	for _, k := range append(slices.Sorted(maps.Keys(e.Env)), e.PassEnv...) {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.HasPrefix(k, "VIGIL_") {
			is.Add(at+".env", "%q cannot be set (names beginning with VIGIL_ are vigild's)", k)
		}
	}
	if e.KillAfter < 0 || e.KillAfter > time.Minute {
		is.Add(at+".kill_after", "%v is not between 0 and 1m", e.KillAfter)
	}
	if e.Output < 0 || e.Output > launch.DefaultOutput {
		is.Add(at+".output", "%d is not between 0 and %d bytes", e.Output, launch.DefaultOutput)
	}
	if e.Isolation != "" && e.Isolation != "none" && e.Isolation != "unit" {
		is.Add(at+".isolation", "%q is not an isolation: none or unit", e.Isolation)
	}
	if e.SHA256 != "" && !digest.MatchString(e.SHA256) {
		is.Add(at+".sha256", "%q is not a sha256 digest of 64 hex digits", e.SHA256)
	}
	if err := launch.CheckLimits(e.Limits); err != nil {
		is.Add(at+".limits", "%v", err)
	}
	if e.URL != "" || e.Method != "" || len(e.JSON) > 0 || len(e.Headers) > 0 || e.Idempotent {
		is.Add(at, "url, method, headers, json and idempotent belong to kind http")
	}
}
