package manage

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
)

func (m *Manage) whys(r *face.Registrar) {
	type why struct {
		ID int64 `path:"id" doc:"Of an action"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/why/{id}", guard.Read, "why", "Why an action was done, as a story", "audit", 0),
		func(ctx context.Context, _ guard.Caller, in *why) (*face.Reply[contract.Story], error) {
			s, err := m.Engine.Why(ctx, in.ID)
			if err != nil {
				return nil, m.unknownAction(err, in.ID)
			}
			return face.Say(wireStory(s))
		})

	type whyNot struct {
		Policy string `query:"policy" required:"true"`
		Target string `query:"target"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/why-not", guard.Read, "whyNot", "What stops a policy now, and when it could fire", "audit", 0),
		func(ctx context.Context, _ guard.Caller, in *whyNot) (*face.Reply[contract.Story], error) {
			s, err := m.Engine.WhyNot(ctx, in.Policy, in.Target)
			if err != nil {
				return nil, err
			}
			return face.Say(wireStory(s))
		})
}

func wireStory(s engine.Story) contract.Story {
	out := contract.Story{Headline: s.Headline, Lines: make([]contract.StoryLine, len(s.Lines))}
	for i, l := range s.Lines {
		t := l.Time
		if t == "" && !l.At.IsZero() {
			t = contract.Time(l.At).Format("2006-01-02T15:04:05.000Z07:00")
		}
		out.Lines[i] = contract.StoryLine{Time: t, Text: l.Text, Evidence: l.Evidence}
	}
	return out
}
