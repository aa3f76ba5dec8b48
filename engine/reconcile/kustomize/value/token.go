package value

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Tokens keep text and numbers out of the library: it moves values about and has
// no need to know them, and the YAML that it writes and reads on its way does not
// bring back every text that it was given. Equal values have equal tokens, so that
// a test still tests. They are given out in the order of the keys, so that what has
// the same shape has the same tokens.
type Tokens struct {
	by     map[string]string // JSON of a value -> its token
	values []any
	under  *Tokens // whose tokens come first; nil none
}

// Mark is how a token begins. No label may begin so by chance: they are not hidden,
// since selectors look at them.
const Mark = "vigil-hidden-"

// New makes an empty table.
func New() *Tokens { return &Tokens{by: map[string]string{}} }

// Over makes an empty table over this one, which gives out no more from now on.
func (t *Tokens) Over() *Tokens { return &Tokens{by: map[string]string{}, under: t} }

// size is how many tokens there are, those under them included.
func (t *Tokens) size() int {
	if t == nil {
		return 0
	}
	return len(t.values) + t.under.size()
}

// at is the value of a token.
func (t *Tokens) at(n int) any {
	if first := t.under.size(); n >= first {
		return t.values[n-first]
	}
	return t.under.at(n)
}

// hide replaces the values in a tree of values; truth and nothing stay, and so do
// plain keys and the words of merging.
func (t *Tokens) hide(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if e := x[k]; k == "$patch" {
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
	for in := t; in != nil; in = in.under {
		if token, ok := in.by[text]; ok {
			return token
		}
	}
	token := Mark + strconv.Itoa(t.size())
	t.by[text] = token
	t.values = append(t.values, x)
	return token
}

// key hides a key that is more than plain text in one line, and those two that the
// library does not take for keys.
func (t *Tokens) key(k string) string {
	if k == "" || k == "<<" || strings.HasPrefix(k, Mark) || strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r > '~' }) {
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

// Show brings them back, in a copy. Every value in what the library gives is a token, but no plain key is.
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
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = t.Show(e)
		}
		return out
	case string:
		if text, ok := strings.CutPrefix(x, Mark); ok {
			if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < t.size() {
				return t.at(n)
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
				at, _ := o["path"].(string)
				switch x, text := e.(string); {
				case k == "value" && (at == "/spec" || strings.HasPrefix(at, "/spec/")): // labels stay what they are, for selectors to see
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
