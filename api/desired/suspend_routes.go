package desired

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
)

func (d *Desired) suspends(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/suspends", guard.Read, "listSuspends", "What drifts unhealed by a person's word", "desired", 0),
		func(context.Context, guard.Caller, *face.None) (*face.Reply[contract.SuspendList], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			return face.Say(contract.SuspendList{Suspends: wireSuspends(d.Deps.Desired.State().Suspends)})
		})

	face.Handle(r, face.Line("POST", "/api/v1/suspends", guard.Operate, "createSuspend", "Leave things alone for a while; drift is still told", "desired", 201),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.SuspendRequest }) (*face.Reply[contract.Suspend], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			length, err := face.Duration(&in.Body.For, "body", "for")
			if err != nil {
				return nil, err
			}
			v, err := d.Deps.Desired.Suspend(ctx, c.Actor, in.Body.Selector, in.Body.Reason, length)
			if err != nil {
				return nil, face.FieldIssues(err)
			}
			return face.Say(wireSuspend(v))
		})

	type ended struct {
		ID     string `path:"id" maxLength:"64"`
		Reason string `query:"reason" maxLength:"500"`
	}
	face.Handle(r, face.Line("DELETE", "/api/v1/suspends/{id}", guard.Operate, "endSuspend", "Heal again before its time", "desired", 0),
		func(ctx context.Context, c guard.Caller, in *ended) (*face.Reply[contract.OK], error) {
			if err := d.on(); err != nil {
				return nil, err
			}
			if err := d.Deps.Desired.Unsuspend(ctx, c.Actor, in.ID, in.Reason); err != nil {
				return nil, err
			}
			return face.Say(contract.OK{OK: true, Message: "Suspend '" + in.ID + "' ended"})
		})
}
