package outward

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"vigil/engine/fault"
)

// Secret replaces the last word of a setting by what it refers to, file:/path or
// env:NAME, read when it is used and never kept. Other text stays as it is. The
// error names the reference, never the value.
func Secret(text string) (string, error) {
	head, word := "", text
	if i := strings.LastIndexByte(text, ' '); i >= 0 {
		head, word = text[:i+1], text[i+1:]
	}
	switch {
	case strings.HasPrefix(word, "env:"):
		v, ok := os.LookupEnv(word[len("env:"):])
		if !ok || v == "" {
			return "", fault.New(fault.Unavailable, "the secret %s is not in vigild's environment", word)
		}
		return head + v, plain(word, v)
	case strings.HasPrefix(word, "file:"):
		f, err := os.Open(filepath.Clean(word[len("file:"):]))
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, err, "the secret %s", word)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, 64<<10))
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, err, "the secret %s", word)
		}
		v := strings.TrimRight(string(b), "\r\n")
		return head + v, plain(word, v)
	}
	return text, nil
}

func plain(ref, v string) error {
	if v == "" || strings.ContainsAny(v, "\r\n\x00") {
		return fault.New(fault.Unavailable, "the secret %s is empty or has more than one line", ref)
	}
	return nil
}

// CheckSecret says what is wrong with a reference, as far as its text tells.
func CheckSecret(text string) error {
	word := text[strings.LastIndexByte(text, ' ')+1:]
	if p, ok := strings.CutPrefix(word, "file:"); ok && !filepath.IsAbs(p) {
		return fmt.Errorf("%q is not an absolute path", p)
	}
	if word == "env:" {
		return fmt.Errorf("env: needs a name")
	}
	if strings.ContainsAny(text, "\r\n\x00") {
		return fmt.Errorf("a value has one line")
	}
	return nil
}
