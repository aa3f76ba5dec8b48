package desired

import (
	"context"
	"strings"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/revision"
)

// Face is the keeper as people see it, with where its revisions come from.
func (d *Desired) Face() engine.Desired {
	if d == nil {
		return nil
	}
	return face{d.keeper, d}
}

// face adds to the keeper's word what it does not know: what the source has, and was
// refused before it came.
type face struct {
	*revision.Keeper
	d *Desired
}

// State is where the host stands.
func (f face) State() engine.DesiredView {
	v := f.Keeper.State()
	g := f.d.Config.Git
	v.Source, v.Branch = g.Source, g.Branch
	if s := f.d.source.Stalled(); s != "" {
		v.Stalled = s
	}
	v.Stalled, v.Unread = strings.ReplaceAll(v.Stalled, "\n", "; "), strings.ReplaceAll(v.Unread, "\n", "; ")
	return v
}

// Plan says of a commit that was refused when it was looked at why that was.
func (f face) Plan(ctx context.Context, commit string) (engine.PlanView, error) {
	v, err := f.Keeper.Plan(ctx, commit)
	if fault.KindOf(err) != fault.NotFound {
		return v, err
	}
	tip, why := f.d.source.Refused(commit)
	if why == nil {
		return v, err
	}
	return engine.PlanView{Commit: tip, From: f.Keeper.State().Applied, Steps: []engine.PlanStep{}, Refused: why.Error()}, nil
}

// Retry looks again at what was refused, since what was in its way may be gone.
func (f face) Retry(ctx context.Context, actor, commit string) (engine.Revision, error) {
	if tip, why := f.d.source.Refused(commit); why != nil {
		f.d.source.Again()
		return engine.Revision{}, refused(tip, why).Mend("it is looked at again now, as it is at every poll; `vigild status` says what becomes of it")
	}
	return f.Keeper.Retry(ctx, actor, commit)
}

// Rollback goes back to nothing that was refused.
func (f face) Rollback(ctx context.Context, actor, commit, reason string) (engine.Revision, error) {
	v, err := f.Keeper.Rollback(ctx, actor, commit, reason)
	if commit != "" && fault.KindOf(err) == fault.NotFound {
		if tip, why := f.d.source.Refused(commit); why != nil {
			return v, refused(tip, why)
		}
	}
	return v, err
}

func refused(tip string, why error) *fault.Error {
	return fault.New(fault.Conflict, "commit %.10s was refused when it was looked at, and nothing of it is applied: %s", tip, strings.ReplaceAll(why.Error(), "\n", "; "))
}
