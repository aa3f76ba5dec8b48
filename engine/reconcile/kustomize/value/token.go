package value

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Tokens keep text and numbers out of the library: it moves values about and has
// no need to know them, and the YAML that it writes and reads on its way does not
// bring back every text that it was given. Equal values have equal tokens, so that
// a test still tests.
type Tokens struct {
	by     map[string]string // JSON of a value -> its token
	values []any
}

// Mark is how a token begins.
const Mark = "value-"

// New makes an empty table.
func New() *Tokens { return &Tokens{by: map[string]string{}} }

// hide replaces the values in a tree of values; truth and nothing stay, and so do
// plain keys and the words of merging.
func (t *Tokens) hide(v any) any {
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

func (t *Tokens) token(x any) string {
	text := string(Encode(x))
	token, ok := t.by[text]
	if !ok {
		token = Mark + strconv.Itoa(len(t.values))
		t.by[text] = token
		t.values = append(t.values, x)
	}
	return token
}

// key hides a key that is more than plain text in one line.
func (t *Tokens) key(k string) string {
	if strings.HasPrefix(k, Mark) || strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r > '~' }) {
		return t.token(k)
	}
	return k
}

// pointer hides such keys on the way to a value of the spec.
func (t *Tokens) pointer(p string) string {
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

// Show brings them back. Every value in what the library gives is a token, but no plain key is.
func (t *Tokens) Show(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			name, _ := t.Show(k).(string)
			out[name] = t.Show(e)
		}
		return out
	case []any:
		for i, e := range x {
			x[i] = t.Show(e)
		}
	case string:
		if text, ok := strings.CutPrefix(x, Mark); ok {
			if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(t.values) {
				return t.values[n]
			}
		}
	}
	return v
}

// Hidden is the JSON of a spec with its values hidden.
func (t *Tokens) Hidden(spec []byte) (any, error) {
	var v any
	err := json.Unmarshal(spec, &v)
	return t.hide(v), err
}

// Patch is the text of a patch with its values hidden: a document to merge, or
// operations when merge is nil.
func (t *Tokens) Patch(merge map[string]any, list []map[string]any) []byte {
	if merge == nil {
		ops := make([]map[string]any, len(list))
		for i, o := range list {
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
		return Encode(ops)
	}
	out := map[string]any{}
	for k, e := range merge {
		if k == "spec" {
			e = t.hide(e)
		}
		out[k] = e
	}
	return Encode(out)
}
