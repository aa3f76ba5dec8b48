package heal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
)

// sysctl sets the running value of a kernel parameter.
type sysctl struct {
	root     string
	commands bool // what names a program for the kernel to run may be set
}

// Resolve: name (required, with slashes or dots), value (required).
func (a sysctl) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, _, s, err := a.read(r)
	return s, err
}

func (a sysctl) read(r remedy.Request) (name, value string, s remedy.Spec, err error) {
	p := param.Read(r.With)
	name, value = p.Text("name", true), strings.Join(strings.Fields(p.Text("value", true)), " ")
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	switch {
	case name == "" || !p.OK():
	case !reconcile.Parameter(name):
		p.Bad("name", "%q is no kernel parameter such as net.ipv4.ip_forward", name)
	case reconcile.NamesProgram(name) && !a.commands:
		p.Bad("name", "%s names a program for the kernel to run; the local config allows to set it with git.trust_commands", name)
	}
	if len(value) > 1024 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		p.Bad("value", "expected one line of plain text")
	}
	if err := p.Err(); err != nil {
		return "", "", s, err
	}
	return name, value, remedy.Spec{Subject: "sysctl:" + name, Kind: "sysctl", Class: remedy.Convergent, Cost: 1, Timeout: 10 * time.Second, Summary: "set " + name + " = " + value}, nil
}

func (a sysctl) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	name, value, _, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	now, err := a.value(name)
	if err != nil {
		return remedy.Result{}, err
	}
	if now == value {
		return done(false, nil), nil
	}
	if ctx.Err() != nil {
		return remedy.Result{Error: "cut short: " + ctx.Err().Error(), TimedOut: true}, nil
	}
	f, err := os.OpenFile(a.path(name), os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.EROFS) {
		return remedy.Result{}, untunable(name)
	}
	if err != nil {
		return remedy.Result{}, fault.Wrap(fault.Forbidden, err, "the kernel parameter %s cannot be set", name)
	}
	_, err = f.WriteString(value + "\n")
	if err = errors.Join(err, f.Close()); errors.Is(err, unix.EPERM) {
		return remedy.Result{}, fault.New(fault.Forbidden, "the kernel lets vigild not set %s: %v", name, err).
			Mend("under systemd, some of net take CapabilityBoundingSet=CAP_NET_ADMIN in a drop-in (systemctl edit vigild), then restart vigild")
	} else if err != nil {
		return remedy.Result{Error: "the kernel does not take " + value + " for " + name + ": " + err.Error()}, nil
	}
	if got, err := a.value(name); err != nil || got != value {
		return remedy.Result{Error: "the kernel made " + got + " of " + value + " for " + name}, nil
	}
	back, err := a.Undo(ctx, r)
	if err != nil {
		return remedy.Result{}, err
	}
	back.With["value"] = now
	return done(true, &back), nil
}

// untunable names the usual reason: vigild's own unit.
func untunable(name string) error {
	return fault.New(fault.Forbidden, "the kernel parameter %s is read-only for vigild", name).
		Mend("under systemd, open it with ProtectKernelTunables=no in a drop-in (systemctl edit vigild), then restart vigild")
}

// Foresee says that the parameters of the kernel are read-only here; see
// foresee.Foreseer.
func (a sysctl) Foresee(r remedy.Request, _ *foresee.Ahead) error {
	name, _, _, err := a.read(r)
	if err == nil && errors.Is(unix.Access(a.path(name), unix.W_OK), unix.EROFS) {
		err = untunable(name)
	}
	return err
}

// keeps refuses a file that the kind Sysctl makes, when it says more than that
// kind may.
func (t touch) keeps(file string, content []byte) error {
	if !below("/etc/sysctl.d", file) || t.conf.Opens == nil || !t.conf.Opens(file) {
		return nil
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !reconcile.Parameter(name) || reconcile.NamesProgram(name) {
			return fault.New(fault.Forbidden, "%s: %.100q is not kept over a restart here", file, line).Mend("the local config allows that with git.trust_commands")
		}
	}
	return nil
}

func (a sysctl) path(name string) string { return filepath.Join("/", a.root, "proc/sys", name) }

func (a sysctl) value(name string) (string, error) {
	b, err := os.ReadFile(a.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault.New(fault.NotFound, "this kernel has no parameter %s", name)
	}
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "the kernel parameter %s", name)
	}
	return strings.Join(strings.Fields(string(b)), " "), nil
}

// Undo says what brings back the value that the kernel has now.
func (a sysctl) Undo(_ context.Context, r remedy.Request) (remedy.Request, error) {
	name, _, _, err := a.read(r)
	if err != nil {
		return remedy.Request{}, err
	}
	now, err := a.value(name)
	if err != nil {
		return remedy.Request{}, err
	}
	r.With = map[string]any{"name": name, "value": now}
	return r, nil
}
