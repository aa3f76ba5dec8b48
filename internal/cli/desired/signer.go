package desired

import (
	"context"
	"fmt"

	"vigil/internal/cli/session"
)

type SignerCmd struct{}

// Help shows examples.
func (SignerCmd) Help() string {
	return "Prints a line for a list of allowed signers: the key that the daemon signs the commits with which it makes itself\n" +
		"(drift --commit, init). It counts for nothing until somebody adds the line to the list.\n\nExamples:\n  vigild signer | sudo tee -a /etc/vigil/signers\n" +
		"  vigild signer >> signers && git config gpg.ssh.allowedSignersFile $PWD/signers && git verify-commit FETCH_HEAD"
}

// Run prints the line.
func (c *SignerCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	k, err := r.Signer(ctx)
	if err != nil {
		return err
	}
	return s.Print(k, func() error {
		_, err := fmt.Fprintln(s.Out, session.Plain(k.Line))
		return err
	})
}
