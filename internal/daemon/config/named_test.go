package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNamed_TellsTheLine: what is wrong with a file that the configuration names is
// told with the line that names it, like any other mistake in there.
func TestNamed_TellsTheLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vigil.toml")
	if err := os.WriteFile(file, []byte(`data_dir = "/var/lib/vigil"

[git]
require_signed = true
allowed_signers = "/no/such/signers"

[notify.x]
url = "file:/no/such/url"

[[token]]
name = "ci"
role = "viewer"
secret = "file:/no/such/secret"
`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Load(From{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckGit(); err == nil || !strings.HasPrefix(err.Error(), file+":5: git.allowed_signers: ") {
		t.Errorf("%v", err)
	}
	told := l.Named(time.Now()).Err()
	for _, want := range []string{file + ":5: git.allowed_signers: ", file + ":8: notify.x.url: ", file + ":13: token[0].secret: "} {
		if told == nil || !strings.Contains(told.Error(), want) {
			t.Errorf("%v does not say %s", told, want)
		}
	}
}
