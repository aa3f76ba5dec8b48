package signers

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// openPGP holds an OpenPGP signature against the list.
func (a *Allowed) openPGP(c signed, at time.Time) error {
	var ring openpgp.EntityList
	if a != nil {
		ring = a.ring
	}
	check := func(at time.Time) (*openpgp.Entity, error) {
		return openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(c.payload), bytes.NewReader(c.signature), &packet.Config{Time: func() time.Time { return at }})
	}
	who, err := check(at)
	if errors.Is(err, pgperrors.ErrUnknownIssuer) {
		return refuse("the commit is signed with an OpenPGP key that is no allowed signer").Mend(stranger)
	}
	if who == nil && err != nil {
		return refuse("the OpenPGP signature is wrong: %v", err)
	}
	print := strings.ToUpper(who.PrimaryKey.KeyIdString())
	if err != nil { // expired or revoked
		return refuse("the OpenPGP signature with %s is not valid: %v", print, err)
	}
	// The clock of the commit may be a second before that of its signature.
	if _, err := check(c.when.Add(skew)); err != nil {
		return refuse("the OpenPGP key %s was not valid when the commit was made, %s: %v", print, c.when.Format(time.RFC3339), err)
	}
	var names []string
	for _, id := range who.Identities {
		if strings.EqualFold(id.UserId.Email, c.mail) {
			return nil
		}
		names = append(names, id.UserId.Email)
	}
	return refuse("the OpenPGP key %s may sign for %s, and not for %s", print, strings.Join(names, ", "), c.mail)
}
