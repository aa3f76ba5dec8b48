// Package reverse is the way from the machine back to the repository: how a thing
// stands becomes a document, what differs becomes a commit on a branch of its
// own, and an empty repository gets its first commit.
//
// It reads the machine through reconcile.World alone and writes nothing but
// commits, through the [Repository] that it is handed. What it offers as a commit
// was loaded again and compared with the machine before: merged, the differences
// that it names are gone.
//
// It refuses vigild's own files, to put what is sealed or looks like a secret into
// a commit unasked, and to touch the branch that is applied. Each commit is
// audited. It starts nothing and keeps no state; methods may be called
// concurrently.
package reverse

import (
	"context"
	"path"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/load"
	"vigil/engine/reconcile/manifest"
)

// Config is what of the local config counts here.
type Config struct {
	Host  string // name of this host, as documents are chosen by
	Trust reconcile.Trust
}

// Write is one commit to be made.
type Write struct {
	Branch  string // without refs/heads/
	Parent  string // "" the first
	Files   []manifest.File
	Author  string // a name without an address
	Message string
	At      clock.Stamp
}

// Repository is the commits that the daemon has. It blocks on disk; concurrent.
type Repository interface {
	// Files are all files of a commit; NotFound.
	Files(ctx context.Context, commit string) ([]load.File, error)
	// Read turns files into what they want of this host; fault.Issues.
	Read(files []load.File) (*reconcile.Set, error)
	// Write makes a commit and points the branch at it, whatever it was before. The
	// branch that is applied is refused.
	Write(ctx context.Context, w Write) (commit string, err error)
	// First makes the first commit of the branch that is applied, and lands it.
	// Conflict: there are commits, or commits are made elsewhere.
	First(ctx context.Context, actor string, w Write) (commit, branch, clone string, err error)
	// Signer is who signs what Write and First make.
	Signer() (engine.Signer, error)
}

// Deps is what it needs of others.
type Deps struct {
	Desired    engine.Desired
	World      reconcile.World
	Repository Repository
	// Record writes one audit record; durable on return.
	Record func(ctx context.Context, r audit.Record) error
	Clock  clock.Clock
}

// Reverse is the way back. It is an engine.Reverse.
type Reverse struct {
	cfg  Config
	deps Deps
}

var _ engine.Reverse = (*Reverse)(nil)

// New makes it; it starts nothing.
func New(cfg Config, d Deps) (*Reverse, error) {
	return &Reverse{cfg, d}, cfg.Trust.Validate()
}

// parameters are the first parts of kernel parameters.
var parameters = []string{"abi", "debug", "dev", "fs", "kernel", "net", "user", "vm"}

// kindOf tells what somebody named without saying what it is.
func kindOf(what string) string {
	first, _, dotted := strings.Cut(what, ".")
	switch {
	case strings.HasPrefix(what, "/"):
		return "path"
	case reconcile.IsUnit(what):
		return "unit"
	case dotted && slices.Contains(parameters, first):
		return "sysctl"
	}
	return "unit"
}

// Adopt writes how a thing stands as a document.
func (r *Reverse) Adopt(ctx context.Context, in engine.AdoptRequest) (engine.Manifest, error) {
	if in.Kind == "" {
		in.Kind = kindOf(in.What)
	}
	o := manifest.Options{Name: in.Name, Folder: path.Join("hosts", r.cfg.Host), Trust: r.cfg.Trust}
	var m *manifest.Manifest
	var err error
	switch in.Kind {
	case "path":
		m, err = r.adoptPath(ctx, in, o)
	case "unit":
		m, err = r.adoptUnit(ctx, in.What, o)
	case "sysctl":
		m, err = r.adoptSysctl(ctx, in.What, o)
	case "process":
		var p reconcile.Process
		if p, err = r.deps.World.Process(ctx, in.What); err == nil {
			m, err = manifest.OfProcess(in.What, p, o)
		}
	default:
		err = fault.New(fault.Unprocessable, "%q is nothing that can be adopted", in.Kind).Mend("unit, path, sysctl or process")
	}
	if err != nil {
		return engine.Manifest{}, err
	}
	out := engine.Manifest{Ref: m.Kind + "/" + m.Name, Path: m.Path, Document: m.Text, Warnings: m.Warnings}
	for _, f := range m.Files {
		out.Files = append(out.Files, engine.ManifestFile(f))
	}
	return out, nil
}

func (r *Reverse) adoptPath(ctx context.Context, in engine.AdoptRequest, o manifest.Options) (*manifest.Manifest, error) {
	p := in.What
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
		return nil, fault.New(fault.Unprocessable, "%q is no plain absolute path", p).Mend("write it whole, without . or .. and without a slash at its end")
	}
	for _, own := range r.cfg.Trust.Refused {
		if reconcile.Below(own, p) {
			return nil, fault.New(fault.Forbidden, "%s belongs to vigild itself and is shown to nobody", p)
		}
	}
	for _, pseudo := range []string{"/proc", "/sys", "/dev"} {
		if reconcile.Below(pseudo, p) {
			return nil, fault.New(fault.Unprocessable, "%s is the kernel's and no file", p).Mend("a kernel parameter: vigild adopt sysctl NAME")
		}
	}
	if why, _ := r.cfg.Trust.Path(p); why != "" && !in.Anywhere {
		return nil, fault.New(fault.Forbidden, "%s, and what stands elsewhere is shown over the socket alone", why).Mend("ask on the machine itself, without --url")
	}
	f, err := r.deps.World.File(ctx, p, reconcile.LookContent)
	if err != nil {
		return nil, err
	}
	return manifest.OfPath(p, f, o)
}

func (r *Reverse) adoptUnit(ctx context.Context, unit string, o manifest.Options) (*manifest.Manifest, error) {
	if strings.Contains(unit, "/") || unit == "" {
		return nil, fault.New(fault.Unprocessable, "%q is no name of a unit", unit).Mend("a path is written whole, from / on")
	}
	unit = reconcile.UnitName(unit)
	if reconcile.Itself(unit) {
		return nil, fault.New(fault.Forbidden, "%s is vigild itself, which no document may touch", unit)
	}
	u, err := r.deps.World.Unit(ctx, unit)
	if err != nil {
		return nil, err
	}
	own := "/etc/systemd/system/" + unit
	paths := []string{own}
	entries, err := r.deps.World.Entries(ctx, own+".d")
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	for _, e := range entries {
		if e.Type == "file" && strings.HasSuffix(e.Name, ".conf") && len(paths) < 100 {
			paths = append(paths, own+".d/"+e.Name)
		}
	}
	files := map[string][]byte{}
	for _, p := range paths {
		f, err := r.deps.World.File(ctx, p, reconcile.LookContent)
		if err != nil {
			return nil, err
		}
		if f.Type == "file" {
			files[p] = f.Content
		}
	}
	return manifest.OfUnit(unit, u, files, o)
}

func (r *Reverse) adoptSysctl(ctx context.Context, name string, o manifest.Options) (*manifest.Manifest, error) {
	at := name
	if !strings.Contains(at, "/") {
		at = strings.ReplaceAll(at, ".", "/")
	}
	if first, _, _ := strings.Cut(at, "/"); !slices.Contains(parameters, first) || path.Clean("/"+at) != "/"+at {
		return nil, fault.New(fault.Unprocessable, "%q is no kernel parameter", name).Mend("write one such as net.ipv4.ip_forward")
	}
	v, ok, err := r.deps.World.Sysctl(ctx, at)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "the kernel has no parameter %s", name)
	}
	return manifest.OfSysctl(name, v, o)
}

// First makes the first commit of the daemon's repository.
func (r *Reverse) First(ctx context.Context, actor string) (out engine.FirstCommit, err error) {
	w := Write{Files: manifest.First(r.cfg.Host), Author: "vigild on " + r.cfg.Host, At: r.deps.Clock(),
		Message: "The first commit: where documents go, and examples\n\nThe examples are comments and change nothing. Made by vigild init for " + actor + ".\n"}
	out.Commit, out.Branch, out.Clone, err = r.deps.Repository.First(ctx, actor, w)
	if err != nil {
		return out, err
	}
	for _, f := range w.Files {
		out.Files = append(out.Files, f.Path)
	}
	return out, r.record(ctx, actor, "repository.init", "commit:"+out.Commit, "the repository was empty")
}

// Signer is who signs the commits that are made here.
func (r *Reverse) Signer(context.Context) (engine.Signer, error) { return r.deps.Repository.Signer() }

func (r *Reverse) record(ctx context.Context, actor, verb, object, reason string) error {
	return r.deps.Record(ctx, audit.Record{At: r.deps.Clock(), Actor: actor, Verb: verb, Object: object, Reason: reason})
}
