package signers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/signers"
)

// TestKey_SignsWhatIsVerified: here by the list that it stands on, and by stock git
// with the same list; a key that is on none is refused by both.
func TestKey_SignsWhatIsVerified(t *testing.T) {
	key, text, err := signers.NewKey("vigild@web1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := signers.ParseKey(text)
	if err != nil || again.Public() != key.Public() || again.Print() != key.Print() {
		t.Fatalf("what was written is another key: %v", err)
	}
	stranger, _, err := signers.NewKey("x")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Sign(payload("vigild@web1"))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := again.Sign(payload("vigild@web1")); err != nil || string(other) != string(raw) {
		t.Errorf("the same commit is signed otherwise: %v", err)
	}
	if _, err := key.Sign(raw); err == nil {
		t.Error("a signed commit was signed again")
	}
	d := gittest.Repo(t)
	list := filepath.Join(t.TempDir(), "signers")
	d.Git("config", "gpg.ssh.allowedSignersFile", list)
	d.Git("hash-object", "-t", "tree", "-w", "--stdin") // the empty one
	file := filepath.Join(t.TempDir(), "commit")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	commit := d.Git("hash-object", "-t", "commit", "-w", file)
	for line, good := range map[string]bool{
		key.Line("vigild@web1"):      true,
		key.Line("vigild@web2"):      false,
		stranger.Line("vigild@web1"): false,
	} {
		allowed, err := signers.Parse("list", []byte(line+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if who, err := signers.Verify(raw, allowed, when); (err == nil) != good || good && who != "vigild@web1" {
			t.Errorf("with %q: %q %v", line, who, err)
		}
		if strings.HasPrefix(line, "vigild@web2") {
			continue // git asks the list who the key is, and not for the committer
		}
		if err := os.WriteFile(list, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := d.Try("verify-commit", commit); (err == nil) != good {
			t.Errorf("git with %q: %v %s", line, err, out)
		}
	}
	for _, text := range []string{"", "x", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"} {
		if _, err := signers.ParseKey([]byte(text)); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}
