package signers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"vigil/engine/fault"
)

// Key signs commits. It does not change, and may be used concurrently.
type Key struct{ signer ssh.Signer }

// NewKey makes an ed25519 key and the text that [ParseKey] reads, in the format of
// OpenSSH. The comment stands in it and in no signature.
func NewKey(comment string) (*Key, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, nil, err
	}
	text := pem.EncodeToMemory(block)
	k, err := ParseKey(text)
	return k, text, err
}

// ParseKey reads a private key without passphrase, ed25519 alone. Unprocessable:
// it is none.
func ParseKey(text []byte) (*Key, error) {
	s, err := ssh.ParsePrivateKey(text)
	if err != nil || s.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return nil, fault.New(fault.Unprocessable, "no ed25519 private key of OpenSSH without passphrase")
	}
	return &Key{s}, nil
}

// Public is the public half as it stands in a list, type and base64.
func (k *Key) Public() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey())))
}

// Line is the line of a list that lets the key sign commits of a committer, and
// nothing else.
func (k *Key) Line(mail string) string { return mail + ` namespaces="git" ` + k.Public() }

// Print is the fingerprint, as ssh-keygen -l shows it.
func (k *Key) Print() string { return ssh.FingerprintSHA256(k.signer.PublicKey()) }

// Sign puts a signature into the header of a commit object that has none. The same
// commit gets the same signature.
func (k *Key) Sign(raw []byte) ([]byte, error) {
	c, err := split(raw)
	if err != nil {
		return nil, err
	}
	end := bytes.Index(raw, []byte("\n\n"))
	if len(c.signature) > 0 || end < 0 {
		return nil, fault.New(fault.Internal, "a commit that is signed already, or has no end of its header")
	}
	sig, err := sshsig.Sign(bytes.NewReader(raw), k.signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, err
	}
	armored := bytes.TrimRight(sshsig.Armor(sig), "\n")
	var b bytes.Buffer
	b.Write(raw[:end+1])
	b.Write(signatureHeader)
	b.Write(bytes.ReplaceAll(armored, []byte("\n"), []byte("\n ")))
	b.Write(raw[end:])
	return b.Bytes(), nil
}
