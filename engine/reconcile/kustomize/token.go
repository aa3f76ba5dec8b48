package kustomize

import (
	"encoding/json"
	"strconv"
	"strings"
)

// tokens keep text and numbers out of the library: it moves values about and has
// no need to know them, and the YAML that it writes and reads on its way does not
// bring back every text that it was given. Equal values have equal tokens, so that
// a test still tests.
type tokens struct {
	by     map[string]string // JSON of a value -> its token
	values []any
}

const tokenMark = "value-"

// hide replaces the values in a tree of values; truth and nothing stay, and so do
// plain keys and the words of merging.
func (t *tokens) hide(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			if k == "$patch" {
				out[k] = e
			} else {
				out[t.key(k)] = t.hide(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = t.hide(e)
		}
		return out
	case string, float64:
		return t.token(x)
	}
	return v
}

func (t *tokens) token(x any) string {
	text := string(encode(x))
	token, ok := t.by[text]
	if !ok {
		token = tokenMark + strconv.Itoa(len(t.values))
		t.by[text] = token
		t.values = append(t.values, x)
	}
	return token
}

// key hides a key that is more than plain text in one line.
func (t *tokens) key(k string) string {
	if strings.HasPrefix(k, tokenMark) || strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r > '~' }) {
		return t.token(k)
	}
	return k
}

// pointer hides such keys on the way to a value of the spec.
func (t *tokens) pointer(p string) string {
	if !strings.HasPrefix(p, "/spec/") {
		return p
	}
	keys := strings.Split(p, "/")
	for i, k := range keys {
		plain := strings.NewReplacer("~1", "/", "~0", "~").Replace(k)
		if h := t.key(plain); h != plain {
			keys[i] = h
		}
	}
	return strings.Join(keys, "/")
}

// show brings them back. Every value in what the library gives is a token, but no plain key is.
func (t *tokens) show(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			name, _ := t.show(k).(string)
			out[name] = t.show(e)
		}
		return out
	case []any:
		for i, e := range x {
			x[i] = t.show(e)
		}
	case string:
		if text, ok := strings.CutPrefix(x, tokenMark); ok {
			if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(t.values) {
				return t.values[n]
			}
		}
	}
	return v
}

// hidden is the JSON of a spec with its values hidden.
func (t *tokens) hidden(spec []byte) (any, error) {
	var v any
	err := json.Unmarshal(spec, &v)
	return t.hide(v), err
}

// patch is the text of a patch with its values hidden.
func (t *tokens) patch(q prepared) []byte {
	if q.merge == nil {
		ops := make([]map[string]any, len(q.ops))
		for i, o := range q.ops {
			ops[i] = map[string]any{}
			for k, e := range o {
				switch x, text := e.(string); {
				case k == "value":
					e = t.hide(e)
				case text && (k == "path" || k == "from"):
					e = t.pointer(x)
				}
				ops[i][k] = e
			}
		}
		return encode(ops)
	}
	out := map[string]any{}
	for k, e := range q.merge {
		if k == "spec" {
			e = t.hide(e)
		}
		out[k] = e
	}
	return encode(out)
}
