package gitwatch

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	"vigil/engine/fault"
)

// maxHook bounds the body of a webhook.
const maxHook = 1 << 20

// Webhook answers the webhooks of GitHub, Gitea, Forgejo and GitLab. It means
// "look now" and nothing else: what stands in it is authenticated and thrown
// away. secret is read for each request, as a file: or env: reference.
func Webhook(secret string, nudge func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "a webhook is a POST", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
		if err != nil {
			http.Error(w, "the body is too large or cut short", http.StatusRequestEntityTooLarge)
			return
		}
		key, err := readSecret(secret)
		if err == nil {
			err = checkHook(trimLine(key), r.Header, body)
		}
		if err != nil {
			status := fault.KindOf(err).Status()
			http.Error(w, "the webhook cannot be told from a forged one", status)
			return
		}
		nudge()
		w.WriteHeader(http.StatusAccepted)
	})
}

// checkHook says whether a webhook was sent by somebody who has the key: an
// HMAC-SHA256 over the body (X-Hub-Signature-256, X-Gitea-Signature,
// X-Forgejo-Signature), or GitLab's token. Forbidden otherwise.
func checkHook(key []byte, h http.Header, body []byte) error {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	want := mac.Sum(nil)
	for _, name := range []string{"X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature"} {
		if v := h.Get(name); v != "" {
			got, err := hex.DecodeString(strings.TrimPrefix(v, "sha256="))
			if err == nil && len(key) > 0 && hmac.Equal(got, want) {
				return nil
			}
			return fault.New(fault.Forbidden, "%s is not that of this body", name)
		}
	}
	if v := h.Get("X-Gitlab-Token"); v != "" && len(key) > 0 && subtle.ConstantTimeCompare([]byte(v), key) == 1 {
		return nil
	}
	return fault.New(fault.Forbidden, "the webhook is not signed")
}
