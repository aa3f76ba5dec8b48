package signers

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"golang.org/x/crypto/ssh"

	"vigil/engine/fault"
)

// Bounds of a list.
const (
	maxList = 1 << 20
	maxKeys = 10_000
)

// Allowed is a list of signers. It does not change, and may be used
// concurrently. Nil is an empty list.
type Allowed struct {
	keys []key
	ring openpgp.EntityList
}

// key is one line of the list.
type key struct {
	place      string
	principals string // patterns
	public     ssh.PublicKey
	after      time.Time // zero: always
	before     time.Time
}

// Len is the number of keys.
func (a *Allowed) Len() int {
	if a == nil {
		return 0
	}
	return len(a.keys) + len(a.ring)
}

// Join is one list with the keys of both.
func (a *Allowed) Join(b *Allowed) *Allowed {
	out := &Allowed{}
	for _, l := range []*Allowed{a, b} {
		if l != nil {
			out.keys = append(out.keys, l.keys...)
			out.ring = append(out.ring, l.ring...)
		}
	}
	return out
}

const (
	pgpBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	pgpEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// Parse reads a list; name is what places are called after. Every line that is
// wrong is named: a list is taken whole or not at all.
func Parse(name string, text []byte) (*Allowed, error) {
	if len(text) > maxList {
		return nil, fault.New(fault.TooLarge, "a list of signers of over %d bytes", maxList).At(name)
	}
	a := &Allowed{}
	var is fault.Issues
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		place := fmt.Sprintf("%s:%d", name, i+1)
		line := strings.TrimSpace(lines[i])
		switch {
		case line == "" || line[0] == '#':
		case a.Len() >= maxKeys:
			return nil, fault.New(fault.TooLarge, "more than %d signers", maxKeys).At(place)
		case line == pgpBegin:
			from := i
			for i < len(lines) && strings.TrimSpace(lines[i]) != pgpEnd {
				i++
			}
			block := strings.Join(lines[from:min(i+1, len(lines))], "\n")
			ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader([]byte(block)))
			if err != nil {
				is.Add(place, "no OpenPGP public key: %v", err)
				continue
			}
			a.ring = append(a.ring, ring...)
		default:
			k, use, err := parseLine(line)
			if err != nil {
				is.Add(place, "%v", err)
				continue
			}
			if k.place = place; use {
				a.keys = append(a.keys, k)
			}
		}
	}
	if err := is.Err(); err != nil {
		return nil, err
	}
	return a, nil
}

// parseLine reads `principals [options] type base64 [comment]`; use is false for
// a key whose namespaces leave commits out.
func parseLine(line string) (k key, use bool, err error) {
	k.principals, line, err = principals(line)
	if err != nil {
		return k, false, err
	}
	public, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return k, false, fmt.Errorf("no SSH public key after the principals")
	}
	k.public = public
	if err := strong(public); err != nil {
		return k, false, err
	}
	use = true
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "namespaces":
			use = match(value, "git")
		case "valid-after":
			k.after, err = moment(value)
		case "valid-before":
			k.before, err = moment(value)
		case "cert-authority":
			err = fmt.Errorf("certificate authorities are not taken; list the keys themselves")
		default:
			err = fmt.Errorf("the option %q is not known", name)
		}
		if err != nil {
			return k, false, err
		}
	}
	return k, use, nil
}

// principals takes the first field, which may be quoted.
func principals(line string) (string, string, error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		p, rest, ok := strings.Cut(quoted, `"`)
		if !ok || p == "" {
			return "", "", fmt.Errorf("a quote that does not end")
		}
		return p, rest, nil
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return "", "", fmt.Errorf("principals without a key")
	}
	return line[:i], strings.TrimSpace(line[i:]), nil
}

// strong refuses keys that prove little.
func strong(k ssh.PublicKey) error {
	if _, ok := k.(*ssh.Certificate); ok {
		return fmt.Errorf("certificates are not taken; list the key itself")
	}
	switch k.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		if c, ok := k.(ssh.CryptoPublicKey); ok {
			if r, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() >= 2048 {
				return nil
			}
		}
		return fmt.Errorf("an RSA key needs 2048 bits")
	}
	return fmt.Errorf("keys of the type %s are not taken", k.Type())
}

// moment reads the times of ssh-keygen(1): YYYYMMDD or YYYYMMDDHHMM[SS], local
// unless Z follows.
func moment(s string) (time.Time, error) {
	digits, utc := strings.CutSuffix(s, "Z")
	in := time.Local
	if utc {
		in = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(digits) == len(layout) {
			if t, err := time.ParseInLocation(layout, digits, in); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: YYYYMMDD, or YYYYMMDDHHMM, with Z for UTC", s)
}
