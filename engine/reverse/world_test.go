package reverse_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/load"
	"vigil/engine/reverse"
)

// machine is a world in memory; asked counts the looks at a path, and moving
// changes a file at its second look.
type machine struct {
	files  map[string]reconcile.File
	units  map[string]reconcile.Unit
	sysctl map[string]string
	procs  map[string]reconcile.Process
	moving string
}

func (m *machine) put(p, text string) {
	m.files[p] = reconcile.File{Type: "file", Mode: 0o644, Owner: "root", Group: "root", Content: []byte(text)}
}

func (m *machine) File(_ context.Context, p string, look reconcile.Look) (reconcile.File, error) {
	f := m.files[p]
	if f.Type == "file" && look >= reconcile.LookHash {
		if p == m.moving {
			f.Content = append(slices.Clone(f.Content), "x\n"...)
			m.files[p] = f
		}
		h := sha256.Sum256(f.Content)
		f.SHA256 = hex.EncodeToString(h[:])
	}
	if look != reconcile.LookContent {
		f.Content = nil
	}
	return f, nil
}

func (m *machine) Entries(_ context.Context, p string) (out []reconcile.Entry, _ error) {
	for _, at := range slices.Sorted(maps.Keys(m.files)) {
		if rest, ok := strings.CutPrefix(at, p+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, reconcile.Entry{Name: rest, Type: m.files[at].Type})
		}
	}
	return out, nil
}

func (m *machine) Unit(_ context.Context, name string) (reconcile.Unit, error) {
	if u, ok := m.units[name]; ok {
		return u, nil
	}
	return reconcile.Unit{Load: "not-found", Active: "inactive"}, nil
}

func (m *machine) Sysctl(_ context.Context, name string) (string, bool, error) {
	v, ok := m.sysctl[name]
	return v, ok, nil
}

func (m *machine) Process(_ context.Context, name string) (reconcile.Process, error) {
	return m.procs[name], nil
}

// repository is commits in memory.
type repository struct {
	t       testing.TB
	trust   reconcile.Trust
	commits map[string][]load.File
	refs    map[string]string
	notes   map[string]string
}

func (r *repository) Files(_ context.Context, commit string) ([]load.File, error) {
	fs, ok := r.commits[commit]
	if !ok {
		return nil, fault.New(fault.NotFound, "no commit %s", commit)
	}
	return fs, nil
}

func (r *repository) Read(files []load.File) (*reconcile.Set, error) {
	s, is := load.Load(files, load.Host{Name: "web1"}, r.trust, load.Deps{})
	return s, is.Err()
}

func (r *repository) Write(_ context.Context, w reverse.Write) (string, error) {
	files := slices.Clone(r.commits[w.Parent])
	for _, c := range w.Files {
		i := slices.IndexFunc(files, func(f load.File) bool { return f.Path == c.Path })
		if i < 0 {
			files = append(files, load.File(c))
		} else {
			files[i] = load.File(c)
		}
	}
	commit := fmt.Sprintf("%040d", len(r.commits)+1)
	r.commits[commit], r.refs[w.Branch], r.notes[commit] = files, commit, w.Message
	return commit, nil
}

func (r *repository) First(ctx context.Context, _ string, w reverse.Write) (string, string, string, error) {
	if len(r.commits) > 0 {
		return "", "", "", fault.New(fault.Conflict, "the repository has commits")
	}
	w.Branch = "main"
	c, err := r.Write(ctx, w)
	return c, "main", "http://127.0.0.1:8000/git/desired", err
}

func (r *repository) Signer() (engine.Signer, error) { return engine.Signer{Mail: "vigild@web1"}, nil }

// keeper knows which commit is applied, and nothing else.
type keeper struct {
	engine.Desired
	applied string
}

func (k *keeper) State() engine.DesiredView {
	return engine.DesiredView{Enabled: true, Applied: k.applied}
}

type scene struct {
	*reverse.Reverse
	m       *machine
	repo    *repository
	keeper  *keeper
	records []audit.Record
}

// setup applies a tree of pairs of path and text.
func setup(t testing.TB, pairs ...string) *scene {
	t.Helper()
	trust := reconcile.Trust{Kinds: kind.Names(), Paths: []string{"/etc", "/srv"}, Commands: true, Refused: []string{"/etc/vigil"}}
	s := &scene{m: &machine{files: map[string]reconcile.File{}, units: map[string]reconcile.Unit{}, sysctl: map[string]string{}, procs: map[string]reconcile.Process{}},
		repo: &repository{t: t, trust: trust, commits: map[string][]load.File{}, refs: map[string]string{}, notes: map[string]string{}}, keeper: &keeper{}}
	if len(pairs) > 0 {
		s.keeper.applied = strings.Repeat("a", 40)
		for i := 0; i < len(pairs); i += 2 {
			s.repo.commits[s.keeper.applied] = append(s.repo.commits[s.keeper.applied], load.File{Path: pairs[i], Data: []byte(pairs[i+1])})
		}
	}
	now := clock.Stamp{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro()}
	r, err := reverse.New(reverse.Config{Host: "web1", Trust: trust}, reverse.Deps{Desired: s.keeper, World: s.m, Repository: s.repo,
		Record: func(_ context.Context, a audit.Record) error { s.records = append(s.records, a); return nil },
		Clock:  func() clock.Stamp { return now }})
	if err != nil {
		t.Fatal(err)
	}
	s.Reverse = r
	return s
}
