package document

import (
	"bytes"
	"encoding/json"

	"vigil/engine/fault"
)

// Text is the document as JSON, which Parse reads as the same document but for its
// places. Issues: it holds a number that JSON cannot.
func (d Document) Text() ([]byte, error) {
	var spec any
	if is := d.Spec.Decode(&spec); len(is) > 0 {
		return nil, is
	}
	meta := map[string]any{"name": d.Name}
	if len(d.Labels) > 0 {
		meta["labels"] = d.Labels
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{"apiVersion": Version, "kind": d.Kind, "metadata": meta, "spec": spec}); err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err, "the document %s/%s has no text", d.Kind, d.Name)
	}
	return b.Bytes(), nil
}
