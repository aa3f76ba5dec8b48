// Package source is where documents come from on this machine: the pack inside
// the binary, one policy for each supervised process, and plain folders.
//
// A folder's revision is the hash of its content. It is applied whole or not at
// all: one bad document and everything stays as it was, and [Folder.State] says
// why. A folder that vanished or cannot be read takes nothing away either.
//
// It refuses to know what a document means; consumers get those of their kinds.
// [Folder.Run] blocks until ctx ends and leaves nothing behind.
package source

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/gitwatch/paths"
)

// Sink takes all documents of a folder of the kinds that it knows. Check says
// what is wrong with them and changes nothing; Apply makes them what holds. It
// is called with an empty list too, which takes everything away.
type Sink struct {
	Kinds []string
	Check func(ds []document.Document) fault.Issues
	Apply func(ctx context.Context, ds []document.Document) error
}

// Deps is what a folder needs.
type Deps struct {
	Dirs   []string
	Sinks  []Sink
	Log    *slog.Logger
	Rescan time.Duration
}

// Folder keeps the sinks at what its directories say.
type Folder struct {
	deps Deps

	mu    sync.Mutex // one reload at a time
	state sync.Mutex // over last
	last  State
}

// State is how the newest look at the folders ended.
type State struct {
	Revision  string // of what is in force; "" nothing yet
	Documents int    // in force
	Err       error  // why the newest content is not in force; nil when it is
	tried     string // revision of the newest content that was looked at
}

// New makes a folder source; nothing is read yet.
func New(deps Deps) *Folder { return &Folder{deps: deps} }

// State is safe to call at any time.
func (f *Folder) State() State {
	f.state.Lock()
	defer f.state.Unlock()
	return f.last
}

// Reload reads the folders and applies what they say if it differs from what is
// in force, or always with force. It blocks; concurrent calls wait for each
// other. The error names every mistake with its place.
func (f *Folder) Reload(ctx context.Context, force bool) (State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.State()
	content, err := f.read(last)
	if err != nil {
		return f.keep(last, err, "", force)
	}
	if content.Revision == last.tried && !force {
		return last, last.Err
	}
	ds, issues := f.parse(content)
	if err := issues.Err(); err != nil {
		return f.keep(last, err, content.Revision, force)
	}
	for _, s := range f.deps.Sinks {
		if err := s.Apply(ctx, ofKinds(ds, s.Kinds)); err != nil {
			return f.keep(last, err, "", force) // tried again at the next look
		}
	}
	now := State{Revision: content.Revision, Documents: len(ds), tried: content.Revision}
	f.put(now)
	if last.Revision != "" || len(ds) > 0 {
		f.deps.Log.Info("documents applied", "dirs", f.deps.Dirs, "documents", len(ds), "revision", short(content.Revision))
	}
	return now, nil
}

// read leaves out folders that never existed; one that vanished is an error, so
// that a lost mount does not take every policy away.
func (f *Folder) read(last State) (paths.Content, error) {
	content, err := paths.Read(f.deps.Dirs, ".yaml", ".yml", ".json")
	if fault.KindOf(err) != fault.NotFound {
		return content, err
	}
	if last.Documents > 0 {
		return content, err
	}
	var there []string
	for _, d := range f.deps.Dirs {
		if _, err := paths.Read([]string{d}, ".yaml", ".yml", ".json"); fault.KindOf(err) != fault.NotFound {
			there = append(there, d)
		}
	}
	return paths.Read(there, ".yaml", ".yml", ".json")
}

func (f *Folder) parse(c paths.Content) ([]document.Document, fault.Issues) {
	var out []document.Document
	var issues fault.Issues
	for _, file := range c.Files {
		ds, is := document.Parse(file.Path, file.Data, document.Folder)
		out, issues = append(out, ds...), append(issues, is...)
	}
	known := map[string]bool{}
	for _, s := range f.deps.Sinks {
		for _, k := range s.Kinds {
			known[k] = true
		}
	}
	at := map[string]string{}
	for _, d := range out {
		if !known[d.Kind] {
			issues = append(issues, document.UnknownKind(d, slices.Sorted(maps.Keys(known))...))
		}
		key := d.Kind + " " + d.Name
		if other, ok := at[key]; ok {
			issues.Add(d.Place, "%s %q is written twice; the other is at %s", d.Kind, d.Name, other)
		}
		at[key] = d.Place
	}
	for _, s := range f.deps.Sinks {
		if s.Check != nil {
			issues = append(issues, s.Check(ofKinds(out, s.Kinds))...)
		}
	}
	return out, issues
}

// keep notes a mistake. asked says that a person waits for an answer, who is told
// what was told before too.
func (f *Folder) keep(last State, err error, tried string, asked bool) (State, error) {
	if said := last.Err; asked || said == nil || said.Error() != err.Error() {
		f.deps.Log.Error("documents not applied, nothing was changed", "dirs", f.deps.Dirs, "err", err)
	}
	last.Err, last.tried = err, tried
	f.put(last)
	return last, err
}

func (f *Folder) put(s State) {
	f.state.Lock()
	f.last = s
	f.state.Unlock()
}

// Run looks now, at every file event, and at every rescan, until ctx ends.
func (f *Folder) Run(ctx context.Context) error {
	_, _ = f.Reload(ctx, false) // State and the log say what was wrong
	cfg := paths.Defaults()
	cfg.Rescan = f.deps.Rescan
	w, err := paths.New(cfg, paths.Deps{Paths: f.deps.Dirs, Log: f.deps.Log, Nudge: func(ctx context.Context) {
		_, _ = f.Reload(ctx, false)
	}})
	if err != nil {
		return fmt.Errorf("policy folders: %w", err)
	}
	return w.Run(ctx)
}

func ofKinds(ds []document.Document, kinds []string) []document.Document {
	var out []document.Document
	for _, d := range ds {
		for _, k := range kinds {
			if d.Kind == k {
				out = append(out, d)
			}
		}
	}
	return out
}

func short(revision string) string { return revision[:min(12, len(revision))] }
