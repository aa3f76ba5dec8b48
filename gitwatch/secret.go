package gitwatch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"vigil/engine/fault"
)

// checkSecret says what is wrong with a reference to a secret. The secret itself
// never stands in the config.
func checkSecret(ref string) error {
	if path, ok := strings.CutPrefix(ref, "file:"); ok && filepath.IsAbs(path) {
		return nil
	}
	if name, ok := strings.CutPrefix(ref, "env:"); ok && name != "" || ref == "" {
		return nil
	}
	return errors.New("this is file:/absolute/path or env:NAME, never the secret itself")
}

// readSecret reads what a reference names, anew each time, so that a secret can
// be replaced while vigild runs.
func readSecret(ref string) ([]byte, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		if v := os.Getenv(name); v != "" {
			return []byte(v), nil
		}
		return nil, fault.New(fault.Unavailable, "%s is not in vigild's environment", name)
	}
	text, err := readSmall(strings.TrimPrefix(ref, "file:"), 64<<10)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, fault.New(fault.Unavailable, "%s is empty", ref)
	}
	return text, nil
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "a file of the config")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has over %d bytes", path, limit)
	}
	return text, fault.Wrap(fault.Unavailable, err, "a file of the config")
}
