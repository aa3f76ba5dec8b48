package signers

import (
	"bytes"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// namespace is what git signs commits under; a signature over something else
// must not pass for one.
const namespace = "git"

// ssh holds an SSH signature against the list: PROTOCOL.sshsig of OpenSSH.
func (a *Allowed) ssh(c signed, at time.Time) error {
	sig, err := sshsig.Unarmor(c.signature)
	if err != nil {
		return refuse("the SSH signature cannot be read")
	}
	print := ssh.FingerprintSHA256(sig.PublicKey)
	if err := strong(sig.PublicKey); err != nil {
		return refuse("the commit is signed with %s: %v", print, err)
	}
	if err := sshsig.Verify(bytes.NewReader(c.payload), sig, sig.PublicKey, sig.HashAlgorithm, namespace); err != nil {
		return refuse("the SSH signature with %s is wrong: %v", print, err)
	}
	if strings.HasPrefix(sig.PublicKey.Type(), "sk-") && !touched(sig.Signature) {
		return refuse("the commit is signed with %s, which nobody touched", print)
	}
	mend := stranger
	if strings.HasPrefix(c.mail, ourName) {
		mend += "; vigild signer prints the line of vigild's own"
	}
	var why error = refuse("the commit is signed with %s, which is no allowed signer", print).Mend("%s", mend)
	if a == nil {
		return why
	}
	for _, k := range a.keys {
		if !bytes.Equal(k.public.Marshal(), sig.PublicKey.Marshal()) {
			continue
		}
		switch {
		case !match(k.principals, c.mail):
			why = refuse("the key %s may sign for %s, and not for %s (%s)", print, k.principals, c.mail, k.place)
		case !k.valid(c.when):
			why = refuse("the key %s of %s was not valid when the commit was made, %s (%s)", print, c.mail, c.when.Format(time.RFC3339), k.place)
		case !k.valid(at):
			why = refuse("the key %s of %s has expired or is not valid yet (%s)", print, c.mail, k.place)
		default:
			return nil
		}
	}
	return why
}

func (k key) valid(at time.Time) bool {
	return (k.after.IsZero() || !at.Before(k.after)) && (k.before.IsZero() || at.Before(k.before))
}

// touched looks at the flags that a security key signs with: the lowest bit says
// that a person was there.
func touched(s *ssh.Signature) bool { return len(s.Rest) > 0 && s.Rest[0]&1 != 0 }
