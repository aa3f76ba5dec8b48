package desired

import (
	"context"
	"strconv"
	"strings"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine/fault"
)

func (d *Desired) revisions(r *face.Registrar) {
	type list struct {
		Before string `query:"before" doc:"Cursor: the next of an earlier page"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/revisions", guard.Read, "listRevisions", "Commits that came, newest first, and what became of them", "desired", 0),
		func(ctx context.Context, _ guard.Caller, in *list) (*face.Reply[contract.RevisionList], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			before, err := face.Cursor(in.Before, "before")
			if err != nil {
				return nil, err
			}
			rs, err := d.Reader.Revisions(ctx, before, in.Limit)
			if err != nil {
				return nil, err
			}
			out := contract.RevisionList{Revisions: make([]contract.Revision, len(rs))}
			for i, x := range rs {
				out.Revisions[i] = wireRevision(x)
			}
			if len(rs) == in.Limit {
				out.Next = strconv.FormatInt(rs[len(rs)-1].N, 10)
			}
			return face.Say(out)
		})

	type one struct {
		N int64 `path:"n" minimum:"1" maximum:"9007199254740991"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/revisions/{n}", guard.Read, "getRevision", "One revision", "desired", 0),
		func(ctx context.Context, _ guard.Caller, in *one) (*face.Reply[contract.Revision], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			rs, err := d.Reader.Revisions(ctx, in.N+1, 1)
			if err != nil {
				return nil, err
			}
			if len(rs) == 0 || rs[0].N != in.N {
				return nil, fault.New(fault.NotFound, "there is no revision %d", in.N)
			}
			return face.Say(wireRevision(rs[0]))
		})

	face.Handle(r, face.Line("POST", "/api/v1/revisions/rollback", guard.Operate, "rollback", "Return to a revision that was good", "desired", 202),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.RollbackRequest }) (*face.Reply[contract.Revision], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			commit, err := d.whole(ctx, in.Body.Commit)
			if err != nil {
				return nil, err
			}
			v, err := d.Deps.Desired.Rollback(ctx, c.Actor, commit, in.Body.Reason)
			if err != nil {
				return nil, face.FieldIssues(err)
			}
			return face.Say(wireRevision(v))
		})

	face.Handle(r, face.Line("POST", "/api/v1/revisions/retry", guard.Operate, "retryRevision", "Apply a commit again that was bad", "desired", 202),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.RetryRequest }) (*face.Reply[contract.Revision], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			commit, err := d.whole(ctx, in.Body.Commit)
			if err != nil {
				return nil, err
			}
			v, err := d.Deps.Desired.Retry(ctx, c.Actor, commit)
			if err != nil {
				return nil, err
			}
			return face.Say(wireRevision(v))
		})
}

// lookBack is among how many of the newest revisions a short commit is looked for.
const lookBack = 1000

// whole completes a commit that was written short, from the revisions that came.
// What none of them begins with is left as it is. Conflict: several do.
func (d *Desired) whole(ctx context.Context, commit string) (string, error) {
	if len(commit) < 4 || len(commit) >= 40 {
		return commit, nil
	}
	rs, err := d.Reader.Revisions(ctx, 0, lookBack)
	if err != nil {
		return "", err
	}
	found := ""
	for _, r := range rs {
		switch {
		case !strings.HasPrefix(r.Commit, commit) || r.Commit == found:
		case found != "":
			return "", fault.New(fault.Conflict, "%s is short for several commits, %s and %s among them", commit, found, r.Commit).Mend("write more of its digits")
		default:
			found = r.Commit
		}
	}
	if found == "" {
		return commit, nil
	}
	return found, nil
}
