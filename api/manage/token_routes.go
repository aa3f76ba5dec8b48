package manage

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

func (m *Manage) tokens(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/tokens", guard.Administer, "listTokens", "All tokens, without their secrets", "tokens", 0),
		func(ctx context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.TokenList], error) {
			ts, err := m.Keys.List(ctx)
			if err != nil {
				return nil, err
			}
			out := contract.TokenList{Tokens: make([]contract.Token, len(ts))}
			for i, t := range ts {
				out.Tokens[i] = m.wireToken(t)
			}
			return face.Say(out)
		})

	face.Handle(r, face.Line("POST", "/api/v1/tokens", guard.Administer, "createToken", "Make a token; its secret is shown this once", "tokens", 201),
		func(ctx context.Context, c guard.Caller, in *struct{ Body contract.TokenCreate }) (*secretReply, error) {
			span, err := face.Duration(in.Body.For, "body", "for")
			if err != nil {
				return nil, err
			}
			var expires clock.Stamp
			if span > 0 {
				expires = m.Clock().Add(span)
			}
			t, secret, err := m.Keys.Create(ctx, c.Actor, in.Body.Name, in.Body.Role, expires)
			if err != nil {
				return nil, err
			}
			return &secretReply{"no-store", contract.TokenCreated{Token: m.wireToken(t), Secret: secret}}, nil
		})

	face.Handle(r, face.Line("DELETE", "/api/v1/tokens/{name}", guard.Administer, "deleteToken", "Revoke a token", "tokens", 0),
		func(ctx context.Context, c guard.Caller, in *struct {
			Name string `path:"name" maxLength:"63"`
		}) (*face.Reply[contract.OK], error) {
			err := m.Keys.Delete(ctx, c.Actor, in.Name)
			if fault.KindOf(err) == fault.NotFound {
				return nil, fault.New(fault.NotFound, "Token '%s' not found", in.Name)
			}
			if err != nil {
				return nil, err
			}
			return face.Say(contract.OK{OK: true, Message: "Token '" + in.Name + "' deleted"})
		})
}

// secretReply is not to be kept by any cache.
type secretReply struct {
	CacheControl string `header:"Cache-Control"`
	Body         contract.TokenCreated
}

func (m *Manage) wireToken(t engine.Token) contract.Token {
	return contract.Token{Name: t.Name, Role: t.Role, CreatedAt: contract.Maybe(t.Created), ExpiresAt: contract.Maybe(t.Expires),
		UsedAt: contract.Maybe(t.Used), Fixed: m.Keys.Fixed(t.Name)}
}
