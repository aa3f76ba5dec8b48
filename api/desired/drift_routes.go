package desired

import (
	"context"
	"strconv"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
)

func (d *Desired) drifts(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/drift", guard.Read, "listDrift", "What differs from its document now", "desired", 0),
		func(_ context.Context, _ guard.Caller, in *listing) (*face.Reply[contract.ResourceList], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			return face.Say(in.page(d.Deps.Desired.Drift()))
		})

	type history struct {
		Before   string `query:"before" doc:"Cursor: the next of an earlier page"`
		Ref      string `query:"ref" maxLength:"512" example:"File/motd"`
		Standing bool   `query:"standing" doc:"Only those that did not end"`
		Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/drift/history", guard.Read, "listDriftHistory", "Every difference that was found, newest first", "desired", 0),
		func(ctx context.Context, _ guard.Caller, in *history) (*face.Reply[contract.DriftList], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			before, err := face.Cursor(in.Before, "before")
			if err != nil {
				return nil, err
			}
			xs, err := d.Reader.Drifts(ctx, before, in.Ref, in.Standing, in.Limit)
			if err != nil {
				return nil, err
			}
			out := contract.DriftList{Drifts: make([]contract.Drift, len(xs))}
			for i, x := range xs {
				out.Drifts[i] = wireDrift(x)
			}
			if len(xs) == in.Limit {
				out.Next = strconv.FormatInt(xs[len(xs)-1].ID, 10)
			}
			return face.Say(out)
		})

	face.Handle(r, face.Line("POST", "/api/v1/drift/resync", guard.Operate, "resync", "Look at everything now", "desired", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.OK], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			if err := d.Deps.Desired.Resync(ctx); err != nil {
				return nil, err
			}
			v := d.Deps.Desired.State()
			return face.Say(contract.OK{OK: true, Message: strconv.Itoa(v.Resources) + " things looked at, " + strconv.Itoa(v.Drifted) + " differ"})
		})

	face.Handle(r, face.Line("POST", "/api/v1/drift/commit", guard.Operate, "commitDrift", "Write what was found into a commit on a branch of its own", "desired", 201),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.DriftCommitRequest }) (*face.Reply[contract.DriftCommit], error) {
			if err := d.reversing(); err != nil {
				return nil, err
			}
			v, err := d.Reverse.CommitDrift(ctx, c.Actor, engine.DriftRequest{Ref: in.Body.Ref, Reason: in.Body.Reason, Secrets: in.Body.Secrets})
			if err != nil {
				return nil, err
			}
			return face.Say(contract.DriftCommit{Ref: v.Ref, Branch: v.Branch, Commit: v.Commit, Parent: v.Parent, Changed: face.List(v.Changed), Fields: face.List(v.Fields), Left: face.List(v.Left)})
		})
}
