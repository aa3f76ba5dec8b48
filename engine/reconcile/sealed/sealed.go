// Package sealed is values that only this host can read: age files in ASCII
// armor, opened with identities that stand in a local file.
//
// It refuses values that are over a cap, and tells why one cannot be opened
// without a word of what is in it. Nothing is kept; starts nothing.
package sealed

import (
	"errors"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// MaxValue bounds one opened value, in bytes.
const MaxValue = 1 << 20

// Header is how an armored value begins; text that has it is sealed.
const Header = armor.Header

// Box opens values. Concurrent.
type Box struct{ ids []age.Identity }

// New reads the text of an identity file, as age-keygen writes it. "" makes a box
// that opens nothing and says so.
func New(identities string) (*Box, error) {
	if strings.TrimSpace(identities) == "" {
		return &Box{}, nil
	}
	ids, err := age.ParseIdentities(strings.NewReader(identities))
	if err != nil {
		return nil, errors.New("the identity file holds no age identities: expected lines that begin with AGE-SECRET-KEY-")
	}
	return &Box{ids}, nil
}

// Open reads one armored value. The error names no secret.
func (b *Box) Open(text string) (string, error) {
	if b == nil || len(b.ids) == 0 {
		return "", errors.New("this host has no age identity to open it with; git.age_identity names its file")
	}
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(strings.TrimSpace(text)+"\n")), b.ids...)
	var no *age.NoIdentityMatchError
	switch {
	case errors.As(err, &no):
		return "", errors.New("it is sealed for other recipients than this host")
	case err != nil:
		return "", errors.New("it is not a whole age file in ASCII armor")
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxValue+1))
	switch {
	case err != nil:
		return "", errors.New("it was changed after it was sealed, or cut short")
	case len(out) > MaxValue:
		return "", errors.New("it holds over 1 MiB")
	}
	return string(out), nil
}
