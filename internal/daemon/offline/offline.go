// Package offline is what works without a running daemon: checks of files,
// stories, one look at the host, and putting a backup back.
//
// It refuses to touch a data directory that a daemon has open. Nothing outlives
// a call.
package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"vigil/actions"
	"vigil/actions/catalogue"
	"vigil/actions/doubt"
	"vigil/engine"
	"vigil/engine/check"
	"vigil/engine/check/bus"
	"vigil/engine/check/host"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/rehearse"
	"vigil/engine/remedy"
	"vigil/engine/series"
	"vigil/engine/tsdb"
	"vigil/gitwatch/paths"
	"vigil/internal/daemon/config"
	"vigil/internal/daemon/stories"
)

// CheckFiles reads documents as the daemon would, files and whole folders, and says
// what is wrong with them; warnings are what may be meant so. found names those
// that were read.
func CheckFiles(ctx context.Context, cfg *config.Loaded, files []string) (found []string, issues, warnings fault.Issues, err error) {
	acts, err := actions.New(cfg.ActionsConfig(), actions.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, nil, err
	}
	checks, err := check.New(cfg.CheckConfig(), check.Deps{})
	if err != nil {
		return nil, nil, nil, err
	}
	var good []engine.PolicyDocument
	var docs []document.Document
	texts, err := contents(files)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, f := range texts {
		ds, is := document.Parse(f.Path, f.Data, document.Folder)
		issues = append(issues, is...)
		docs = append(docs, ds...)
	}
	known, is := withEntries(acts, docs)
	issues = append(issues, is...)
	ask, done := context.WithTimeout(ctx, doubt.Patience)
	defer done()
	for _, d := range docs {
		found = append(found, d.Kind+" "+d.Name)
		switch d.Kind {
		case "Policy":
			p, is := engine.PolicyFromDocument(d)
			if len(is) == 0 {
				if _, err := rehearse.New([]engine.PolicyDocument{p}, known); err != nil {
					is = engine.Placed(err, d)
				} else {
					warnings = append(warnings, engine.Placed(doubt.Of(ask, acts, known, p.Remedy), d)...)
				}
			}
			good, issues = append(good, p), append(issues, is...)
		case check.DocumentKind:
			_, is := check.FromDocument(d, checks.Probe())
			issues = append(issues, is...)
		case catalogue.DocumentKind:
			if !cfg.Git.TrustActions {
				warnings = append(warnings, fault.Issue{Place: d.Place, Msg: "Action/" + d.Name + " would be refused at a push: documents are not trusted with actions here", Hint: "git.trust_actions"})
			}
		default:
			issues = append(issues, document.UnknownKind(d, "Policy", check.DocumentKind, catalogue.DocumentKind))
		}
	}
	if len(issues) == 0 {
		if _, err := rehearse.New(good, known); err != nil {
			issues.Add(files[0], "%v", err) // good one by one, not together
		}
	}
	return found, issues, append(warnings, unknownCauses(docs)...), nil
}

// withEntries is the actions with those that documents define; those of the local
// config alone beside issues.
func withEntries(acts *actions.Set, docs []document.Document) (remedy.Actions, fault.Issues) {
	var is fault.Issues
	written, left := map[string]actions.Written{}, catalogue.Whole()
	for _, d := range docs {
		if d.Kind != catalogue.DocumentKind {
			continue
		}
		e, bad := catalogue.FromDocument(d, left)
		if first, twice := written[d.Name]; twice {
			bad.Add(d.Place, "Action/%s stands at %s too", d.Name, first.Place)
		}
		is, written[d.Name] = append(is, bad...), actions.Written{Entry: e, Place: d.Place}
	}
	if len(is) > 0 {
		return acts, is
	}
	with, err := acts.With(written)
	var theirs fault.Issues
	switch {
	case err == nil:
		return with, nil
	case errors.As(err, &theirs):
		return acts, theirs
	}
	return acts, fault.Issues{{Msg: err.Error()}}
}

// unknownCauses names what policies depend on and these documents do not have. It
// may stand elsewhere, or come later: until it does it holds nothing back.
func unknownCauses(docs []document.Document) (out fault.Issues) {
	has := map[string]bool{}
	for _, d := range docs {
		has[d.Name] = has[d.Name] || d.Kind == "Policy"
	}
	for _, d := range docs {
		if d.Kind != "Policy" {
			continue
		}
		for _, cause := range d.Spec.Get("depends_on").Items() {
			if name := cause.Text(); !has[name] {
				out = append(out, fault.Issue{Place: cause.Place(), Msg: fmt.Sprintf("there is no policy %q among these: it holds policy %s back once there is one", name, d.Name)})
			}
		}
	}
	return out
}

// contents reads files, and of folders what a policy folder would give.
func contents(names []string) (out []paths.File, err error) {
	for _, name := range names {
		if at, err := os.Stat(name); err == nil && at.IsDir() {
			c, err := paths.Read([]string{name}, ".yaml", ".yml", ".json")
			if err != nil {
				return nil, err
			}
			out = append(out, c.Files...)
			continue
		}
		text, err := readFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, paths.File{Path: name, Data: text})
	}
	return out, nil
}

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the file cannot be read")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20+1))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the file cannot be read")
	}
	if len(b) > 1<<20 {
		return nil, fault.New(fault.TooLarge, "over 1 MiB").At(file)
	}
	return b, nil
}

// RunStories runs policy stories with the actions that the configuration knows.
func RunStories(cfg *config.Loaded, files []string) ([]stories.Result, error) {
	acts, err := actions.New(cfg.ActionsConfig(), actions.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return stories.Run(files, acts)
}

// Measured is one value of the host.
type Measured struct {
	Labels series.Labels
	Value  float64
}

// CollectOnce measures the host as the daemon does. Rates need two looks, so it
// looks twice, a second apart, and tells the second. The error says what could
// not be measured; what was is good all the same.
func CollectOnce(ctx context.Context, cfg *config.Loaded) ([]Measured, error) {
	units := bus.New(cfg.Checks.Bus, slog.New(slog.DiscardHandler))
	defer units.Close()
	c, err := host.New(cfg.Host, host.Deps{Units: units, Clock: clock.System()})
	if err != nil {
		return nil, err
	}
	_ = c.Collect(ctx, func(series.Labels, float64) {}) // the second look tells what fails
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
	}
	var out []Measured
	err = c.Collect(ctx, func(ls series.Labels, v float64) { out = append(out, Measured{ls, v}) })
	return out, err
}

// The files in a backup's folder.
const (
	Ledger  = "ledger.db"
	Samples = "samples.db"
)

// Restore puts a backup back. The daemon must not run; what is there is moved
// aside. The log of what happens goes to out.
func Restore(ctx context.Context, cfg *config.Loaded, dir string, out io.Writer) error {
	samples, book := filepath.Join(dir, Samples), filepath.Join(dir, Ledger)
	cfg.Store.Dir, cfg.Ledger.Dir = cfg.DataDir, cfg.DataDir
	deps := ledger.Deps{Clock: clock.System(), Log: slog.New(slog.NewTextHandler(out, nil))}
	// Both are looked at before either is put back: one store of today beside one
	// of the backup would tell a history that never was.
	for _, file := range []string{samples, book} {
		if _, err := os.Stat(file); err != nil {
			return fault.New(fault.NotFound, "%s cannot be read: %v", file, err).Mend("give the folder that vigild backup has made")
		}
	}
	if err := tsdb.Verify(ctx, samples); err != nil {
		return fault.New(fault.Corrupt, "%s is no sound backup: %v", samples, err).Mend("take another one; nothing was changed")
	}
	if err := ledger.Verify(ctx, cfg.Ledger, deps, book); err != nil {
		return err
	}
	if err := cfg.MakeDataDir(); err != nil {
		return err
	}
	if err := tsdb.Restore(ctx, cfg.Store, nil, samples); err != nil {
		return err
	}
	return ledger.Restore(ctx, cfg.Ledger, deps, book)
}
