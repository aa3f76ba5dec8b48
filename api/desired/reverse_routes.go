package desired

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
)

func (d *Desired) reverse(r *face.Registrar) {
	// Who may adopt reads files of the host: that is more than to operate, and beyond
	// what documents may touch it takes the socket.
	face.Handle(r, face.Line("POST", "/api/v1/adopt", guard.Administer, "adopt", "How a unit, a path or a kernel parameter stands, as a document", "desired", 0),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.AdoptRequest }) (*face.Reply[contract.Manifest], error) {
			if err := d.reversing(); err != nil {
				return nil, err
			}
			m, err := d.Reverse.Adopt(ctx, engine.AdoptRequest{Kind: in.Body.Kind, What: in.Body.What, Name: in.Body.Name, Anywhere: c.Local})
			if err != nil {
				return nil, face.FieldIssues(err)
			}
			out := contract.Manifest{Ref: m.Ref, Path: m.Path, Document: m.Document, Files: make([]contract.ManifestFile, len(m.Files)), Warnings: face.List(m.Warnings)}
			for i, f := range m.Files {
				out.Files[i] = contract.ManifestFile(f)
			}
			return face.Say(out)
		})

	face.Handle(r, face.Line("POST", "/api/v1/git/init", guard.Operate, "initRepository", "Make the first commit of the daemon's own repository", "desired", 201),
		func(ctx context.Context, c guard.Caller, _ *face.None) (*face.Reply[contract.FirstCommit], error) {
			if err := d.reversing(); err != nil {
				return nil, err
			}
			f, err := d.Reverse.First(ctx, c.Actor)
			if err != nil {
				return nil, err
			}
			return face.Say(contract.FirstCommit{Commit: f.Commit, Branch: f.Branch, Files: face.List(f.Files), Clone: f.Clone})
		})

	face.Handle(r, face.Line("GET", "/api/v1/git/signer", guard.Read, "getSigner", "Who signs the commits that the daemon makes itself, for the allowed signers", "desired", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.Signer], error) {
			if err := d.reversing(); err != nil {
				return nil, err
			}
			v, err := d.Reverse.Signer(ctx)
			if err != nil {
				return nil, err
			}
			return face.Say(contract.Signer(v))
		})
}
