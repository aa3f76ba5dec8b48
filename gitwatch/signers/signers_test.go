package signers_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
	"vigil/gitwatch/signers"
)

var when = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func payload(mail string) []byte {
	return fmt.Appendf(nil, "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <%s> %d +0000\ncommitter A <%s> %d +0000\n\nsubject\n\nbody\n", mail, when.Unix(), mail, when.Unix())
}

// sign puts an armored signature where git puts it.
func sign(payload []byte, armored string) []byte {
	head, body, _ := bytes.Cut(payload, []byte("\n\n"))
	lines := strings.Split(strings.TrimRight(armored, "\n"), "\n")
	return fmt.Appendf(nil, "%s\ngpgsig %s\n\n%s", head, strings.Join(lines, "\n "), body)
}

func sshSign(t *testing.T, s ssh.Signer, namespace string, payload []byte) []byte {
	t.Helper()
	sig, err := sshsig.Sign(bytes.NewReader(payload), s, sshsig.HashSHA512, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return sign(payload, string(sshsig.Armor(sig)))
}

func signer(t *testing.T, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func line(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

// TestSSHSignersAreHeldToTheList: one row for each way to be refused, and what
// the refusal names.
func TestSSHSignersAreHeldToTheList(t *testing.T) {
	_, priv, _ := ed25519.GenerateKey(rand.Reader)
	_, other, _ := ed25519.GenerateKey(rand.Reader)
	alice, mallory := signer(t, priv), signer(t, other)
	good := sshSign(t, alice, "git", payload("alice@example.com"))
	print := ssh.FingerprintSHA256(alice.PublicKey())
	for _, c := range []struct {
		name, list string
		raw        []byte
		at         time.Time
		want       string // in the refusal; "" is good
	}{
		{"the key of the committer", "alice@example.com " + line(alice), good, when, ""},
		{"a pattern", "*@example.com " + line(alice), good, when, ""},
		{"quoted principals, namespace and comment", `"bob@x,alice@example.com" namespaces="file,git" ` + line(alice) + " laptop", good, when, ""},
		{"within its validity", "alice@example.com valid-after=\"20260101Z\",valid-before=\"20270101Z\" " + line(alice), good, when, ""},
		{"unsigned", "alice@example.com " + line(alice), payload("alice@example.com"), when, "not signed"},
		{"an unknown key", "alice@example.com " + line(mallory), good, when, print + ", which is no allowed signer (sign it with a key of"},
		{"vigild's own key", "alice@example.com " + line(alice), sshSign(t, mallory, "git", payload("vigild@web1")), when, "or add this one to them; vigild signer prints the line of vigild's own)"},
		{"an empty list", "", good, when, "no allowed signer"},
		{"another's address", "bob@example.com " + line(alice), good, when, "may sign for bob@example.com, and not for alice@example.com"},
		{"a pattern that is taken back", "*@example.com,!alice@* " + line(alice), good, when, "may sign for"},
		{"another namespace in the list", "alice@example.com namespaces=\"file\" " + line(alice), good, when, "no allowed signer"},
		{"another namespace in the signature", "alice@example.com " + line(alice), sshSign(t, alice, "file", payload("alice@example.com")), when, "namespace"},
		{"made before the key was valid", "alice@example.com valid-after=\"20260401Z\" " + line(alice), good, when.AddDate(0, 2, 0), "was not valid when the commit was made"},
		{"an expired key, back-dated", "alice@example.com valid-before=\"20260401Z\" " + line(alice), good, when.AddDate(0, 2, 0), "has expired"},
		{"made in the future", "alice@example.com " + line(alice), good, when.Add(-time.Hour), "which is to come"},
		{"one byte changed", "alice@example.com " + line(alice), bytes.Replace(good, []byte("body"), []byte("bodi"), 1), when, "is wrong"},
		{"another committer put in", "*@example.com " + line(alice), bytes.Replace(good, []byte("committer A <alice"), []byte("committer A <root0"), 1), when, "is wrong"},
		{"two signatures", "alice@example.com " + line(alice), sign(good, "-----BEGIN SSH SIGNATURE-----\nx"), when, "two signatures"},
		{"X.509", "alice@example.com " + line(alice), sign(payload("alice@example.com"), "-----BEGIN SIGNED MESSAGE-----\nx"), when, "X.509"},
		{"rubbish", "alice@example.com " + line(alice), sign(payload("alice@example.com"), "-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----"), when, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			allowed, err := signers.Parse("list", []byte(c.list))
			if err != nil {
				t.Fatal(err)
			}
			who, err := signers.Verify(c.raw, allowed, c.at)
			if c.want == "" {
				if err != nil || who != "alice@example.com" {
					t.Fatalf("%q, %v", who, err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != fault.Forbidden || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%q, %v; want %q", who, err, c.want)
			}
		})
	}
}

// TestPrincipalsArePatterns: as ssh-keygen(1) reads them: * and ? for any address, all of
// which has to match, a list of them, and ! before one that must not, wherever it stands.
func TestPrincipalsArePatterns(t *testing.T) {
	_, priv, _ := ed25519.GenerateKey(rand.Reader)
	alice := signer(t, priv)
	for _, c := range []struct {
		principals string
		yes, no    []string
	}{
		{"alice@example.com", []string{"alice@example.com"}, []string{"alice@example.co", "alice@example.comm", "xalice@example.com", "Alice@example.com", "alice@exampleXcom"}},
		{"*@example.com", []string{"a@example.com", "@example.com", "a@b@example.com"}, []string{"a@example.com.evil.org", "a@sub.example.com", "example.com"}},
		{"a?ice@example.com", []string{"alice@example.com"}, []string{"aice@example.com", "allice@example.com"}},
		{"a*e@*.com", []string{"alice@example.com", "ae@.com", "a.e@e@x.com"}, []string{"alice@example.org", "alicex@example.com@"}},
		{"*", []string{"anybody@where.ever", "x"}, nil},
		{"**a**b**", []string{"ab", "xaybz"}, []string{"ba", "a"}},
		{"bob@x,alice@x", []string{"bob@x", "alice@x"}, []string{"bob@x,alice@x", "carol@x"}},
		{`"bob@x, alice@x"`, []string{"bob@x", "alice@x"}, []string{" alice@x"}},
		{"!alice@x,*@x", []string{"bob@x"}, []string{"alice@x"}},
		{"*@x,!a*@x,alice@x", []string{"bob@x"}, []string{"alice@x", "a@x"}},
		{"!alice@x", nil, []string{"alice@x", "bob@x"}},
		{",,bob@x,", []string{"bob@x"}, []string{"alice@x", ""}},
		{"[a-z]@x", []string{"[a-z]@x"}, []string{"a@x"}},
	} {
		allowed, err := signers.Parse("list", []byte(c.principals+" "+line(alice)))
		if err != nil {
			t.Fatal(err)
		}
		for want, mails := range map[bool][]string{true: c.yes, false: c.no} {
			for _, mail := range mails {
				who, err := signers.Verify(sshSign(t, alice, "git", payload(mail)), allowed, when)
				if got := err == nil && who == mail; got != want {
					t.Errorf("%s may sign for %q: %v, want %v (%v)", c.principals, mail, got, want, err)
				}
			}
		}
	}
}

func TestListsAreTakenWholeOrNotAtAll(t *testing.T) {
	_, priv, _ := ed25519.GenerateKey(rand.Reader)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	alice := signer(t, priv)
	for text, want := range map[string]string{
		"alice@example.com":                                      "list:1: principals without a key",
		"# ok\n\nalice@example.com ssh-ed25519 AAAA":             "list:3: no SSH public key",
		"a@b cert-authority " + line(alice):                      "certificate authorities are not taken",
		"a@b valid-after=\"yesterday\" " + line(alice):           "is no time",
		"a@b from=\"here\" " + line(alice):                       `the option "from" is not known`,
		"a@b " + line(signer(t, small)):                          "2048 bits",
		`"a@b ` + line(alice):                                    "a quote that does not end",
		"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxx\n-----END":   "no OpenPGP public key",
		"a@b " + line(alice) + "\n" + strings.Repeat("x", 1<<20): "over 1048576 bytes",
	} {
		if _, err := signers.Parse("list", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
}

func TestOpenPGPSignersAreHeldToTheList(t *testing.T) {
	clock := func(at time.Time) *packet.Config {
		return &packet.Config{Time: func() time.Time { return at }, DefaultHash: crypto.SHA256, Algorithm: packet.PubKeyAlgoEdDSA}
	}
	entity := func(mail string, life uint32) *openpgp.Entity {
		cfg := clock(when.AddDate(0, -1, 0))
		cfg.KeyLifetimeSecs = life
		e, err := openpgp.NewEntity("A", "", mail, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	list := func(es ...*openpgp.Entity) string {
		var b strings.Builder
		b.WriteString("# people\n")
		for _, e := range es {
			w, err := armor.Encode(&b, "PGP PUBLIC KEY BLOCK", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Serialize(w); err != nil {
				t.Fatal(err)
			}
			w.Close()
			b.WriteString("\n\n")
		}
		return b.String()
	}
	signPGP := func(e *openpgp.Entity, p []byte) []byte {
		var b strings.Builder
		if err := openpgp.ArmoredDetachSign(&b, e, bytes.NewReader(p), clock(when)); err != nil {
			t.Fatal(err)
		}
		return sign(p, b.String())
	}
	alice, mallory, brief := entity("alice@example.com", 0), entity("mallory@example.com", 0), entity("alice@example.com", 60*86400)
	p := payload("alice@example.com")
	for _, c := range []struct {
		name, list string
		raw        []byte
		at         time.Time
		want       string
	}{
		{"the key of the committer", list(mallory, alice), signPGP(alice, p), when, ""},
		{"an unknown key", list(mallory), signPGP(alice, p), when, "no allowed signer"},
		{"another's address", list(mallory), signPGP(mallory, p), when, "and not for alice@example.com"},
		{"within its validity", list(brief), signPGP(brief, p), when, ""},
		{"an expired key, back-dated", list(brief), signPGP(brief, p), when.AddDate(0, 6, 0), "expired"},
		{"one byte changed", list(alice), bytes.Replace(signPGP(alice, p), []byte("body"), []byte("bodi"), 1), when, "wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			allowed, err := signers.Parse("list", []byte(c.list))
			if err != nil {
				t.Fatal(err)
			}
			who, err := signers.Verify(c.raw, allowed, c.at)
			if c.want == "" && (err != nil || who != "alice@example.com") {
				t.Fatalf("%q, %v", who, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("%q, %v; want %q", who, err, c.want)
			}
		})
	}
}

// TestStockGitSignsWhatIsVerified: a commit that git and ssh-keygen signed.
func TestStockGitSignsWhatIsVerified(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Fatal("this test needs ssh-keygen: apt-get install openssh-client")
	}
	d := gittest.Repo(t)
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	d.Write("-- a.yaml --\na\n")
	d.Git("add", "-A")
	d.Git("-c", "gpg.format=ssh", "-c", "user.signingkey="+key, "commit", "-q", "-S", "-m", "signed")
	raw := d.Git("cat-file", "commit", "HEAD") + "\n"
	allowed, err := signers.Parse("list", append([]byte("ada@example.com "), public...))
	if err != nil {
		t.Fatal(err)
	}
	if who, err := signers.Verify([]byte(raw), allowed, time.Now()); err != nil || who != "ada@example.com" {
		t.Fatalf("%q, %v", who, err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(payload("a@b"), []byte("a@b ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVzZXItcHJvdmlkZWQta2V5LWJ5dGVzLTEyMzQ1Njc4\n"))
	f.Add(sign(payload("a@b"), "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"), []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"))
	f.Fuzz(func(t *testing.T, raw, list []byte) {
		allowed, err := signers.Parse("list", list)
		if err != nil {
			allowed = nil
		}
		if who, err := signers.Verify(raw, allowed, when); err == nil {
			t.Fatalf("%q signed %q", who, raw)
		}
	})
}
