package daemon

import (
	"context"
	"log/slog"

	"vigil/actions"
	"vigil/actions/doubt"
	"vigil/engine"
	"vigil/engine/check"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy/act"
	"vigil/internal/daemon/source"
)

// policySink gives the policies of the folders to the engine.
func (h *house) policySink(log *slog.Logger) source.Sink {
	return source.Sink{
		Kinds: []string{"Policy"},
		Check: func(ds []document.Document) fault.Issues {
			var issues fault.Issues
			for _, d := range ds {
				_, is := engine.PolicyFromDocument(d)
				issues = append(issues, is...)
			}
			return issues
		},
		Apply: func(ctx context.Context, ds []document.Document) error {
			if err := h.engine.ApplyFolder(ctx, "folder", document.Folder, ds); err != nil {
				return err
			}
			ask, done := context.WithTimeout(ctx, doubt.Patience)
			defer done()
			for _, d := range ds {
				p, _ := engine.PolicyFromDocument(d)
				for _, x := range engine.Placed(doubt.Of(ask, h.set, h.set, p.Remedy), d) {
					log.Warn("a policy is in force that could not act", "policy", d.Name, "place", x.Place, "why", x.Msg)
				}
			}
			return nil
		},
	}
}

// checkSink gives the checks of the folders to the runner.
func (h *house) checkSink() source.Sink {
	return source.Sink{
		Kinds: []string{check.DocumentKind},
		Check: func(ds []document.Document) fault.Issues {
			_, is := h.checked.Read(ds)
			return is
		},
		Apply: func(_ context.Context, ds []document.Document) error {
			return h.checked.Set(document.Folder, ds)
		},
	}
}

// reloadPolicies reads the folders again for the API and counts what holds.
func (h *house) reloadPolicies(ctx context.Context, _ string) (int, error) {
	if _, err := h.folder.Reload(ctx, true); err != nil {
		return 0, err
	}
	return len(h.engine.Policies()), nil
}

// launcher lets a program check start what the local config allows, through the
// one room that starts programs.
func launcher(set *actions.Set, dirs []string) check.Launch {
	return func(ctx context.Context, c check.Command) (check.Ended, error) {
		var out actions.Outcome
		var err error
		if _, entry := set.Action(c.Name); entry {
			out, err = set.RunEntry(ctx, c.Name, c.Params)
		} else if set.Former(c.Name) != "" { // a plugin of that name is not what was meant
			err = act.Unknown(set, c.Name)
		} else {
			out, err = set.RunPlugin(ctx, dirs, c.Name, c.Args, c.User, c.Timeout, c.MaxOutput)
		}
		return check.Ended{Exit: out.Exit, TimedOut: out.TimedOut, Output: []byte(out.Output)}, err
	}
}

// catalogue lists the actions for the API.
func (h *house) catalogue() []engine.ActionView {
	all := h.set.Catalogue()
	out := make([]engine.ActionView, len(all))
	for i, a := range all {
		out[i] = engine.ActionView{Name: a.Name, Kind: a.Kind, From: a.From, Description: a.Description, Params: a.Params}
	}
	return out
}
