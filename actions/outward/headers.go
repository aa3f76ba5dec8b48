package outward

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vigil/engine/fault"
)

// CheckHeaders says what is wrong with headers of the config, as far as their
// text tells.
func CheckHeaders(at string, hs map[string]string, is *fault.Issues) {
	for _, k := range slices.Sorted(maps.Keys(hs)) {
		if k == "" || strings.ContainsFunc(k, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) {
			is.Add(at+".headers", "%q is not the name of a header", k)
		}
		if err := CheckSecret(hs[k]); err != nil {
			is.Add(at+".headers."+k, "%v", err)
		}
	}
}

// SetHeaders puts headers of the config into a request, secrets looked up.
func SetHeaders(q *http.Request, hs map[string]string) error {
	q.Header.Set("User-Agent", "vigild")
	for k, text := range hs {
		v, err := Secret(text)
		if err != nil {
			return err
		}
		q.Header.Set(k, v)
	}
	return nil
}

// Unsent is the error of a request that never left. The URL may hold a secret,
// so it is taken out of what the client says.
func Unsent(err error, name string) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return fault.New(fault.Unavailable, "%s: nothing was sent: %s", name, Plain(err))
}

// Plain is what a client says without the URL, which may hold a secret.
func Plain(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
