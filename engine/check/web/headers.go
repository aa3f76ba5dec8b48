package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const maxHeaders = 64

// CheckURL says what is wrong with a URL, nil for nothing.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is no URL: expected http://host/... or https://host/...", text)
	}
	if u.User != nil {
		return errors.New("a password does not belong in a URL: use headers with a reference to a secret")
	}
	return nil
}

// CheckHeaders says what is wrong with the headers of a request.
func CheckHeaders(headers map[string]string) error {
	if len(headers) > maxHeaders {
		return fmt.Errorf("%d headers are too many: at most %d", len(headers), maxHeaders)
	}
	for k, v := range headers {
		if k == "" || strings.ContainsAny(k, " :\r\n\t") || strings.ContainsAny(v, "\r\n\x00") {
			return fmt.Errorf("%q is no header", k)
		}
		if strings.EqualFold(k, "host") {
			return errors.New("the Host header is set by `host`")
		}
	}
	return nil
}

// SetHeaders resolves secrets at each request, so that a rotated one is used.
func SetHeaders(req *http.Request, headers map[string]string, secret func(string) (string, error)) error {
	for k, v := range headers {
		if prefix, ref := splitSecret(v); isSecret(v) {
			if secret == nil {
				return fmt.Errorf("header %s: secrets cannot be read here", k)
			}
			plain, err := secret(ref)
			if err != nil {
				return fmt.Errorf("header %s: %w", k, err)
			}
			if strings.ContainsAny(plain, "\r\n\x00") {
				return fmt.Errorf("header %s: the secret holds a line break", k)
			}
			v = prefix + plain
		}
		req.Header.Set(k, v)
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "vigil")
	}
	return nil
}

// splitSecret parts "Bearer file:/path" at the blank before the reference.
func splitSecret(v string) (prefix, ref string) {
	i := strings.LastIndexByte(v, ' ')
	return v[:i+1], v[i+1:]
}

func isSecret(v string) bool {
	_, ref := splitSecret(v)
	return strings.HasPrefix(ref, "file:") || strings.HasPrefix(ref, "env:")
}

// PlainError drops the method and URL that net/http puts before every error.
func PlainError(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}

// LeaveSecrets follows redirects, but takes no header that was a secret along to
// another host.
func LeaveSecrets(headers map[string]string, limit int) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if len(via) > limit {
			return fmt.Errorf("more than %d redirects", limit)
		}
		if next.URL.Host != via[0].URL.Host || via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
			for k, v := range headers {
				if isSecret(v) {
					next.Header.Del(k)
				}
			}
		}
		return nil
	}
}
