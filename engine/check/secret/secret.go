// Package secret reads the secrets that checks name.
//
// It refuses whatever the local config does not list. It starts nothing; concurrent.
package secret

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vigil/engine/fault"
)

// maxSecret bounds a secret's file.
const maxSecret = 64 << 10

// Resolver resolves `file:/path` and `env:NAME` as far as the local config
// allows. A document may come from people who must not read this host's files,
// and a header may be sent anywhere, so nothing else is ever read. Links that
// lead out of an allowed folder are not followed.
func Resolver(dirs, env []string) func(ref string) (string, error) {
	return func(ref string) (string, error) {
		kind, what, _ := strings.Cut(ref, ":")
		switch kind {
		case "file":
			return file(dirs, what)
		case "env":
			if !slices.Contains(env, what) {
				return "", fault.New(fault.Forbidden, "the variable %q may not be used by checks", what).Mend("list it in [checks] secret_env")
			}
			v, ok := os.LookupEnv(what)
			if !ok {
				return "", fault.New(fault.NotFound, "the variable %q is not set", what)
			}
			return v, nil
		}
		return "", fault.New(fault.Invalid, "%q is no reference to a secret: expected file:/path or env:NAME", kind)
	}
}

func file(dirs []string, path string) (string, error) {
	path = filepath.Clean(path)
	for _, d := range dirs {
		rel, err := filepath.Rel(d, path)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		root, err := os.OpenRoot(d)
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, err, "open the folder of secrets %s", d)
		}
		defer root.Close()
		f, err := root.Open(rel)
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, err, "read the secret %s", path)
		}
		defer f.Close()
		if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
			return "", fault.New(fault.Invalid, "the secret %s is not a plain file", path)
		}
		b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, err, "read the secret %s", path)
		}
		if len(b) > maxSecret {
			return "", fault.New(fault.TooLarge, "the secret %s is over %d bytes", path, maxSecret)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	return "", fault.New(fault.Forbidden, "%s is in none of the folders that checks may read secrets from", path).Mend("list its folder in [checks] secret_dirs")
}
