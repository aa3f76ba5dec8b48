package body

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Twice finds a key that stands twice in the object that a body is. Of two
// readers one may take the first and one the last, so nobody is to choose; and
// since our reader takes a key in any case for its field, case makes no
// difference. What is no JSON is left to the reader to say.
func Twice(data []byte) (key string, at int64) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", 0
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		k, ok := t.(string)
		if err != nil || !ok {
			return "", 0
		}
		low := strings.ToLower(k)
		if seen[low] {
			return k, d.InputOffset()
		}
		seen[low] = true
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return "", 0
		}
	}
	return "", 0
}
