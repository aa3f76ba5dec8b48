package audit

import (
	"bytes"
	"encoding/json"
)

// Evidence writes what a decision stood on as JSON, expressions as they were
// written: > and < stand for themselves. What cannot be written is nil, since a
// record without evidence is better than none.
func Evidence(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
