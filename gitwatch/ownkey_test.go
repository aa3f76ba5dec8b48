package gitwatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/engine/fault"
	"vigil/gitwatch"
	"vigil/gitwatch/signers"
)

// TestOwnKey_IsMadeOnceAndKeptFromOthers: one key over all starts, in a file that
// its owner alone may read; one that others may have read is not used, and a new
// one does not take the place of what cannot be read.
func TestOwnKey_IsMadeOnceAndKeptFromOthers(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "git", "signing.key")
	made := 0
	get := func() (string, error) {
		k, err := gitwatch.NewOwnKey(gitwatch.Config{DataDir: dir}, "vigild@web1", func(*signers.Key, string) { made++ }).Get()
		if err != nil {
			return "", err
		}
		return k.Public(), nil
	}
	first, err := get()
	if err != nil || !strings.HasPrefix(first, "ssh-ed25519 ") {
		t.Fatalf("%q %v", first, err)
	}
	second, err := get()
	if err != nil || second != first || made != 1 {
		t.Errorf("the second start has %q, the first %q; %d made, %v", second, first, made, err)
	}
	info, err := os.Lstat(at)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(at)); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
	refused := func(what, says string) {
		t.Helper()
		if _, err := get(); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.Chmod(at, 0o640); err != nil {
		t.Fatal(err)
	}
	refused("a key that a group may read", "others than its owner")
	if err := os.Chmod(at, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a file that is no key", "cannot be read")
	if err := os.Rename(at, at+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at+".old", at); err != nil {
		t.Fatal(err)
	}
	refused("a link", "is no file")
	if made != 1 {
		t.Errorf("%d keys were made", made)
	}
}
