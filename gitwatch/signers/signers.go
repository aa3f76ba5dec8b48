// Package signers says who signed a commit: SSH and OpenPGP keys, held to a list
// of allowed signers.
//
// [Parse] reads the list: lines of ssh-keygen(1)'s ALLOWED SIGNERS format, and
// blocks of armored OpenPGP public keys between them. [Verify] takes a commit
// object as it was hashed, so that what is verified is what is applied.
//
// It refuses a commit without a signature, with several, with X.509, by a key
// that is not on the list, that may not speak for the committer, or outside the
// key's validity, each by name; certificate authorities; RSA under 2048 bits;
// a security key that nobody touched.
// Invariants: there is no verdict between good and refused; validity is held
// against the committer's clock and against ours, since the former is a claim.
//
// [Key] is the other side: it signs commits of one's own, which [Verify] holds to
// the same list as any other.
//
// It starts nothing, reads no file and holds no state.
package signers

import (
	"bytes"
	"strings"
	"time"

	"vigil/engine/fault"
)

// skew is how far a committer's clock may be ahead of ours.
const skew = 10 * time.Minute

// Verify says who signed a commit object; at is now by our clock. The name is
// the committer's address, which the signing key may speak for. The error is
// Forbidden and says what is wrong with whose signature. It may be called
// concurrently.
func Verify(raw []byte, allowed *Allowed, at time.Time) (signer string, err error) {
	c, err := split(raw)
	if err != nil {
		return "", err
	}
	if len(c.signature) == 0 {
		return "", refuse("the commit is not signed").Mend("git commit -S, with a key of the allowed signers")
	}
	if c.when.After(at.Add(skew)) {
		return "", refuse("the commit says it is of %s, which is to come", c.when.Format(time.RFC3339))
	}
	switch kind := string(bytes.TrimSpace(firstLine(c.signature))); kind {
	case "-----BEGIN SSH SIGNATURE-----":
		return c.mail, allowed.ssh(c, at)
	case "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----":
		return c.mail, allowed.openPGP(c, at)
	case "-----BEGIN SIGNED MESSAGE-----":
		return "", refuse("the commit is signed with X.509, which is not taken here").Mend("sign with an SSH or an OpenPGP key")
	}
	return "", refuse("the commit has a signature of an unknown kind")
}

// ourName begins the address that vigild makes its own commits under.
const ourName = "vigild@"

// stranger is what mends a signature of somebody who is not in the list.
const stranger = "sign it with a key of the allowed signers, or add this one to them"

func refuse(format string, args ...any) *fault.Error {
	return fault.New(fault.Forbidden, format, args...)
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

// match holds a text against a list of patterns as ssh_config(5) has them: `*`,
// `?`, and `!` for a pattern that must not match.
func match(patterns, text string) bool {
	found := false
	for p := range strings.SplitSeq(patterns, ",") {
		p, not := strings.CutPrefix(strings.TrimSpace(p), "!")
		if p == "" || !glob(p, text) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// glob matches in time linear in the product of the lengths.
func glob(pattern, text string) bool {
	star, mark, p, t := -1, 0, 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
