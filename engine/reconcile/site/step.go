package site

import (
	"encoding/hex"
	"encoding/json"
	"hash/fnv"

	"vigil/engine/reconcile"
)

// Gone is what is there of fields that should not be.
func Gone(seen reconcile.State, fields ...string) (out []reconcile.Difference) {
	for _, f := range fields {
		if v, ok := seen[f]; ok {
			out = append(out, reconcile.Difference{Field: f, Found: v, Class: reconcile.Pending})
		}
	}
	return out
}

// Keep is the step that writes a file of our own making, or takes it away.
func Keep(path string, text []byte, absent bool) reconcile.Step {
	if absent {
		return reconcile.Step{Action: "file", With: map[string]any{"path": path, "absent": true}, Summary: "remove " + path}
	}
	return reconcile.Step{Action: "file", Content: text, Summary: "write " + path,
		With: map[string]any{"path": path, "sha256": Sum(text), "permissions": "0644", "owner": "root", "group": "root", "parents": true}}
}

// Hash tells whether two documents ask for the same.
func Hash(parts ...any) string {
	h := fnv.New128a()
	for _, p := range parts {
		b, err := json.Marshal(p)
		if err != nil {
			return "" // plain data always becomes JSON
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
