package desired

import (
	"context"
	"slices"
	"strings"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/fault"
)

func (d *Desired) state(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/desired", guard.Read, "getDesired", "Where the host stands towards its desired state", "desired", 0),
		func(context.Context, guard.Caller, *face.None) (*face.Reply[contract.Desired], error) {
			if d.Deps.Desired == nil { // an answer and no error: this is how one asks whether it is on
				return face.Say(contract.Desired{Suspends: []contract.Suspend{}})
			}
			v := d.Deps.Desired.State()
			return face.Say(contract.Desired{
				Enabled: v.Enabled, Mode: v.Mode, Source: v.Source, Branch: v.Branch, Applied: v.Applied, Good: v.Good, State: string(v.State), Why: v.Why,
				Resources: v.Resources, Drifted: v.Drifted, Unseen: v.Unseen, Stopped: v.Stopped, Stalled: v.Stalled, Unread: v.Unread, Suspends: wireSuspends(v.Suspends),
			})
		})

	type plan struct {
		Commit string `query:"commit" maxLength:"64" doc:"Without it, the newest revision"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/plan", guard.Read, "getPlan", "What a commit of the repository would change now", "desired", 0),
		func(ctx context.Context, _ guard.Caller, in *plan) (*face.Reply[contract.Plan], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			commit, err := d.whole(ctx, in.Commit)
			if err != nil {
				return nil, err
			}
			v, err := d.Deps.Desired.Plan(ctx, commit)
			if err != nil {
				return nil, err
			}
			out := contract.Plan{Commit: v.Commit, From: v.From, Items: v.Items, Steps: make([]contract.PlanStep, len(v.Steps)), Held: wireResources(v.Held),
				Unseen: wireResources(v.Unseen), Own: face.List(v.Own), Refused: v.Refused}
			for i, s := range v.Steps {
				out.Steps[i] = contract.PlanStep{Ref: s.Ref, Level: s.Level, Action: s.Action, Summary: s.Summary, Final: s.Final, Prune: s.Prune, Because: wireDifferences(s.Because)}
			}
			return face.Say(out)
		})
}

// listing narrows a list of resources; After is the ref that the page before
// ended with.
type listing struct {
	After  string `query:"after" maxLength:"512" doc:"Cursor: the next of an earlier page"`
	Kind   string `query:"kind" maxLength:"64"`
	Status string `query:"status" enum:"in_sync,drifted,pending,healing,suspended,stopped,unseen,orphan"`
	Limit  int    `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
}

// page takes what a listing asks for, in order of the ref.
func (l *listing) page(all []engine.ResourceView) contract.ResourceList {
	var fit []engine.ResourceView
	for _, v := range all {
		if (l.Kind == "" || v.Kind == l.Kind) && (l.Status == "" || v.Status == l.Status) {
			fit = append(fit, v)
		}
	}
	slices.SortFunc(fit, func(a, b engine.ResourceView) int { return strings.Compare(a.Ref, b.Ref) })
	out := contract.ResourceList{Total: len(fit)}
	at, found := slices.BinarySearchFunc(fit, l.After, func(v engine.ResourceView, ref string) int { return strings.Compare(v.Ref, ref) })
	if found {
		at++
	}
	fit = fit[at:]
	if len(fit) > l.Limit {
		fit = fit[:l.Limit]
		out.Next = fit[l.Limit-1].Ref
	}
	out.Resources = wireResources(fit)
	return out
}

// one names a resource as its document does.
type one struct {
	Kind string `path:"kind" maxLength:"64"`
	Name string `path:"name" maxLength:"255"`
}

func (o *one) ref() string { return o.Kind + "/" + o.Name }

func (d *Desired) resources(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/resources", guard.Read, "listResources", "Everything that should be in some way, and how it stands", "desired", 0),
		func(_ context.Context, _ guard.Caller, in *listing) (*face.Reply[contract.ResourceList], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			return face.Say(in.page(d.Deps.Desired.Resources()))
		})

	face.Handle(r, face.Line("GET", "/api/v1/resources/{kind}/{name}", guard.Read, "getResource", "One thing, and how it stands", "desired", 0),
		func(_ context.Context, _ guard.Caller, in *one) (*face.Reply[contract.Resource], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			for _, v := range d.Deps.Desired.Resources() {
				if v.Ref == in.ref() {
					return face.Say(wireResource(v))
				}
			}
			return nil, fault.New(fault.NotFound, "no document speaks of %s", in.ref()).Mend("vigild diff lists what differs, GET /api/v1/resources everything")
		})

	face.Handle(r, face.Line("GET", "/api/v1/resources/{kind}/{name}/content", guard.Administer, "getResourceContent", "What stands in the files of a resource that differs, and what should", "desired", 0),
		func(ctx context.Context, _ guard.Caller, in *one) (*face.Reply[contract.ContentsList], error) {
			if err := d.reversing(); err != nil {
				return nil, err
			}
			cs, err := d.Reverse.Contents(ctx, in.ref())
			if err != nil {
				return nil, err
			}
			out := contract.ContentsList{Ref: in.ref(), Files: make([]contract.Contents, len(cs))}
			for i, c := range cs {
				out.Files[i] = contract.Contents(c)
			}
			return face.Say(out)
		})
}
