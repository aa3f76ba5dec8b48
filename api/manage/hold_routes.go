package manage

import (
	"context"
	"time"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
)

type holdID struct {
	ID string `path:"id" maxLength:"64"`
}

func (m *Manage) holds(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/holds", guard.Read, "listHolds", "What is not acted on", "holds", 0),
		func(_ context.Context, _ guard.Caller, in *struct {
			Kind string `query:"kind" enum:"pause,silence,maintenance,hands_off"`
		}) (*face.Reply[contract.HoldList], error) {
			return face.Say(contract.HoldList{Holds: m.wireHolds(engine.HoldKind(in.Kind))})
		})

	face.Handle(r, face.Line("POST", "/api/v1/holds", guard.Operate, "createHold", "Say that something must not be acted on", "holds", 201),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.HoldCreate }) (*face.Reply[contract.Hold], error) {
			h, err := m.readHold(in.Body)
			if err != nil {
				return nil, err
			}
			if h, err = m.Engine.PutHold(ctx, c.Actor, h); err != nil {
				return nil, face.FieldIssues(err)
			}
			return face.Say(wireHold(h))
		})

	face.Handle(r, face.Line("DELETE", "/api/v1/holds/{id}", guard.Operate, "releaseHold", "End a hold before its time", "holds", 0),
		func(ctx context.Context, c guard.Caller, in *holdID) (*face.Reply[contract.OK], error) {
			if err := m.Engine.ReleaseHold(ctx, c.Actor, in.ID); err != nil {
				return nil, err
			}
			return face.Say(contract.OK{OK: true, Message: "Hold '" + in.ID + "' released"})
		})

	face.Handle(r, face.Line("POST", "/api/v1/pause", guard.Operate, "pause", "Stop all acts for a while", "holds", 201),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.PauseRequest }) (*face.Reply[contract.Hold], error) {
			h, err := m.readHold(contract.HoldCreate{Kind: string(engine.HoldPause), Reason: in.Body.Reason, For: &in.Body.For})
			if err != nil {
				return nil, err
			}
			if h, err = m.Engine.PutHold(ctx, c.Actor, h); err != nil {
				return nil, face.FieldIssues(err)
			}
			return face.Say(wireHold(h))
		})

	face.Handle(r, face.Line("POST", "/api/v1/resume", guard.Operate, "resume", "End every pause", "holds", 0),
		func(ctx context.Context, c guard.Caller, _ *face.None) (*face.Reply[contract.Resumed], error) {
			out := contract.Resumed{OK: true, Message: "nothing was paused"}
			for _, h := range m.Engine.Holds() {
				if h.Kind != engine.HoldPause {
					continue
				}
				if err := m.Engine.ReleaseHold(ctx, c.Actor, h.ID); err != nil && fault.KindOf(err) != fault.NotFound {
					return nil, err
				}
				out.Released++
				out.Message = "acting again"
			}
			return face.Say(out)
		})
}

// readHold turns the wire's hold into the engine's, its times on both clocks.
func (m *Manage) readHold(in contract.HoldCreate) (engine.Hold, error) {
	now := m.Clock()
	h := engine.Hold{
		Kind: engine.HoldKind(in.Kind), Owner: string(document.API), Reason: in.Reason, Matchers: face.Text(in.Matchers),
		Subject: face.Text(in.Subject), Schedule: face.Text(in.Schedule), Zone: face.Text(in.Zone),
	}
	length, err := face.Duration(in.Length, "body", "length")
	if err != nil {
		return h, err
	}
	h.Length = int64(length)
	span, err := face.Duration(in.For, "body", "for")
	if err != nil {
		return h, err
	}
	if span > 0 && in.Until != nil {
		return h, face.Unfit("give for or until, not both", face.Text(in.For), "body", "for")
	}
	h.From = now
	if in.From != nil {
		h.From = face.At(*in.From, now)
	}
	switch {
	case span > 0:
		h.Until = h.From.Add(span)
	case in.Until != nil:
		h.Until = face.At(*in.Until, now)
		if in.Until.Sub(now.Time()) > 10*365*24*time.Hour {
			return h, face.Unfit("over ten years is not a hold but a policy to delete", in.Until, "body", "until")
		}
	}
	return h, nil
}

func (m *Manage) wireHolds(kind engine.HoldKind) []contract.Hold {
	out := []contract.Hold{}
	for _, h := range m.Engine.Holds() {
		if kind == "" || h.Kind == kind {
			out = append(out, wireHold(h))
		}
	}
	return out
}

func wireHold(h engine.Hold) contract.Hold {
	out := contract.Hold{
		ID: h.ID, Kind: string(h.Kind), Owner: h.Owner, Actor: h.Actor, Reason: h.Reason, Matchers: h.Matchers, Subject: h.Subject,
		Schedule: h.Schedule, Zone: h.Zone, From: contract.Maybe(h.From), Until: contract.Maybe(h.Until), CreatedAt: contract.Maybe(h.Created),
	}
	if h.Length > 0 {
		out.Length = document.Duration(h.Length).String()
	}
	return out
}
