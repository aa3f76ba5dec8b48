package sealed_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"vigil/engine/reconcile/sealed"
)

func seal(t testing.TB, text string, to age.Recipient) string {
	t.Helper()
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSealed_OpensForThisHostAlone: and no error holds a secret or an identity.
func TestSealed_OpensForThisHostAlone(t *testing.T) {
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	box, err := sealed.New("# a comment\n" + mine.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	text := seal(t, "canary", mine.Recipient())
	if got, err := box.Open(text); err != nil || got != "canary" {
		t.Fatalf("%q, %v", got, err)
	}
	none, err := sealed.New("")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text, "\n")
	lines[4] = "AAAA" + lines[4][4:]
	for _, tt := range []struct {
		box        *sealed.Box
		text, says string
	}{
		{none, text, "no age identity"},
		{box, seal(t, "canary", other.Recipient()), "other recipients"},
		{box, "canary", "not a whole age file"},
		{box, text[:len(text)/2], ""},
		{box, strings.Join(lines, "\n"), ""},
		{box, seal(t, strings.Repeat("x", sealed.MaxValue+1), mine.Recipient()), "over 1 MiB"},
	} {
		got, err := tt.box.Open(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") || got != "" {
			t.Errorf("%.30q: %q, %v", tt.text, got, err)
		}
	}
	if _, err := sealed.New("AGE-SECRET-KEY-1canary"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a broken identity: %v", err)
	}
}
