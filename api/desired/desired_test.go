package desired

import (
	"testing"

	"vigil/engine/reconcile"
)

// TestDifferences_HideSecrets: the value of a key that is called as secrets are is
// shown to nobody, and every other one is.
func TestDifferences_HideSecrets(t *testing.T) {
	for field, hides := range map[string]bool{
		"json:/db/password": true, "ini:/mail/SMTP_Password": true, "toml:/api/token": true, "yaml:/auth/clientSecret": true, "yaml:/tls/private_key": true, "json:/x/api-key": true,
		"json:/db/host": false, "json:/passwords/length": false, "sha256": false, "owner": false, "line:password = x": false, "json:/log/level": false,
	} {
		d := wireDifference(reconcile.Difference{Field: field, Wanted: "wanted", Found: ""})
		if (d.Wanted != "wanted") != hides || d.Found != "" {
			t.Errorf("%s: %+v", field, d)
		}
	}
}
