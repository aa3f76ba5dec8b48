package steer

import (
	"context"
	"fmt"
	"time"

	"vigil/internal/cli/session"
)

type TokenCmd struct {
	List   tokenListCmd   `cmd:"" help:"List tokens; secrets are never shown again."`
	Create tokenCreateCmd `cmd:"" help:"Make a token and print its secret, once."`
	Delete tokenDeleteCmd `cmd:"" help:"Delete a token; it stops working at once."`
}

// Help shows examples.
func (TokenCmd) Help() string {
	return "Examples:\n  vigild token create ci --role pusher --for 90d\n  vigild token delete ci"
}

type tokenListCmd struct{}

// Run lists.
func (*tokenListCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Tokens(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	return s.Print(list, func() error {
		rows := make([][]string, 0, len(list.Tokens))
		for _, t := range list.Tokens {
			where := "ledger"
			if t.Fixed {
				where = "config"
			}
			until := session.Moment(t.ExpiresAt)
			if t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) {
				until += " (expired)"
			}
			rows = append(rows, []string{t.Name, t.Role, where, session.Moment(t.CreatedAt), until, session.Moment(t.UsedAt)})
		}
		return s.Table([]string{"NAME", "ROLE", "IN", "CREATED", "EXPIRES", "USED"}, rows)
	})
}

type tokenCreateCmd struct {
	Name string `arg:"" help:"Its name."`
	Role string `help:"viewer, pusher, operator or admin." enum:"viewer,pusher,operator,admin" default:"viewer"`
	For  string `help:"How long it is good for, such as 90d."`
}

// Run makes one.
func (c *tokenCreateCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := r.CreateToken(ctx, c.Name, c.Role, c.For)
	if err != nil {
		return err
	}
	return s.Print(out, func() error {
		fmt.Fprintln(s.Err, "shown this once; only its hash is kept")
		_, err := fmt.Fprintln(s.Out, out.Secret)
		return err
	})
}

type tokenDeleteCmd struct {
	Name string `arg:"" help:"Its name."`
}

// Run deletes one.
func (c *tokenDeleteCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	ok, err := r.DeleteToken(ctx, c.Name)
	if err != nil {
		return err
	}
	return s.Done(ok)
}
