package part

import (
	"encoding/json"
	"strings"
)

// Inside is what stands between the markers of a block, found whether they are
// there at all.
func (p Part) Inside(file []byte) (text []byte, found bool, err error) {
	_, text, _, found, err = p.cut(file)
	return text, found, err
}

// Value is the value of a document that Read tells as text: Keys with it wants just
// that. ok is false when there is none, such as for a date of TOML or a number that
// is spelled as no document's is.
func Value(format, text string) (v any, ok bool) {
	p := Part{format: format}
	if format == "ini" {
		v = text
	} else if json.Unmarshal([]byte(text), &v) != nil {
		return nil, false
	}
	again, err := p.written(v)
	return v, err == nil && again == text
}

// Path is the keys that lead to the value of a field; nil for a field that is no
// key of a file.
func Path(field string) (format string, path []string) {
	format, rest, _ := strings.Cut(field, ":")
	p, ok := Old([]string{field})
	if !ok || len(p.keys) == 0 || rest == "" {
		return format, nil
	}
	return format, p.keys[field].path
}
