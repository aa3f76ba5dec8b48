package config

import (
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"vigil/engine/fault"
)

// Secret reads file:PATH or env:NAME, for a token. A secret that others may read
// is no secret.
func Secret(ref string, lookup func(string) (string, bool)) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, _ := lookup(name)
		if v == "" {
			return "", fault.New(fault.Unprocessable, "the environment has no %s", name)
		}
		return v, nil
	}
	file := strings.TrimPrefix(ref, "file:")
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fault.New(fault.Unprocessable, "others may read this secret").At(file).Mend("chmod 600 %s", file)
	}
	if info.Size() > 4096 {
		return "", fault.New(fault.Unprocessable, "a secret has at most 4096 bytes").At(file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(b))
	if len(secret) < 16 {
		return "", fault.New(fault.Unprocessable, "a secret has at least 16 letters").At(file)
	}
	return secret, nil
}

// Named looks at the files that the configuration names and that vigild would read
// as it runs: certificates, keys and secrets. It says what is wrong with each, as
// this user sees it; nothing is kept. Names of the environment are left out: that
// of the service is another one. Blocks on disk.
func (l *Loaded) Named(now time.Time) fault.Issues { return l.placed(l.named(now)) }

// placed says of each issue of a key where the key stands.
func (l *Loaded) placed(is fault.Issues) fault.Issues {
	for i, x := range is {
		is[i].Msg, is[i].Place = x.Place+": "+x.Msg, l.place(x.Place)
	}
	return is
}

// named has the keys as places.
func (l *Loaded) named(now time.Time) (is fault.Issues) {
	if l.API.TLSCert != "" && l.API.TLSKey != "" {
		pair, err := tls.LoadX509KeyPair(l.API.TLSCert, l.API.TLSKey)
		switch {
		case err != nil:
			is.Add("api.tls_cert", "the certificate %s with the key %s: %v", l.API.TLSCert, l.API.TLSKey, err)
		case pair.Leaf != nil && now.After(pair.Leaf.NotAfter):
			is.Add("api.tls_cert", "the certificate %s expired on %s", l.API.TLSCert, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	for i, t := range l.Tokens {
		if !strings.HasPrefix(t.Secret, "file:") {
			continue
		}
		if _, err := Secret(t.Secret, l.Lookup); err != nil {
			is.Add(fmt.Sprintf("token[%d].secret", i), "%v", err)
		}
	}
	file := func(key, ref string) {
		word := ref[strings.LastIndexByte(ref, ' ')+1:]
		if path, ok := strings.CutPrefix(word, "file:"); ok {
			readable(key, path, &is)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Notify)) {
		r := l.Notify[name]
		file("notify."+name+".url", r.URL)
		file("notify."+name+".secret", r.Secret)
		for _, h := range slices.Sorted(maps.Keys(r.Headers)) {
			file("notify."+name+".headers."+h, r.Headers[h])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Catalogue)) {
		e := l.Catalogue[name]
		for _, h := range slices.Sorted(maps.Keys(e.Headers)) {
			file("actions."+name+".headers."+h, e.Headers[h])
		}
	}
	if !l.Git.Enabled {
		return is
	}
	for _, g := range []struct{ key, path string }{
		{"git.allowed_signers", l.Git.AllowedSigners}, {"git.known_hosts", l.Git.KnownHosts}, {"git.password", l.Git.Password},
		{"git.ssh_key", l.Git.SSHKey}, {"git.webhook_secret", l.Git.WebhookSecret}, {"git.age_identity", l.Git.AgeIdentity},
	} {
		if path := strings.TrimPrefix(g.path, "file:"); strings.HasPrefix(path, "/") {
			readable(g.key, path, &is)
		}
	}
	return is
}

// readable says whether a named file can be read and holds something.
func readable(key, path string, is *fault.Issues) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err == nil && info.Size() == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			f.Close()
		}
	}
	if err != nil {
		is.Add(key, "%v", err)
	}
}
