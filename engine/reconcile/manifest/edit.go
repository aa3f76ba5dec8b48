package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Set is one change of a document. Path leads to its place below spec, through
// mappings by key and through lists by number; what is not there yet is added when
// all above it is there.
type Set struct {
	Path  []string
	Value string
	Word  bool   // true, false, null or a number: written without quotes
	Whole any    // in place of Value: a list or a mapping of text, bool, float64 and nil
	Op    Op     // what is done with it
	From  string // file of the machine that the value was found in; "" none
}

// Op is what a Set does.
type Op uint8

// The changes.
const (
	Put    Op = iota // the value at Path is that
	Remove           // Path is gone, from its mapping or its list
	Append           // the list at Path has one more text at its end
)

// Edit changes values of one document of a file, and no byte beside them: other
// documents, other fields, order, comments and spacing stay. Unprocessable: it
// cannot be done in place (a plain value over several lines, a field whose parent
// is missing), said with the place.
func Edit(name string, text []byte, place string, sets []Set) ([]byte, error) {
	for _, s := range sets {
		next, err := edit(name, text, place, s)
		if err != nil {
			return nil, err
		}
		text = next
	}
	return text, nil
}

// edit changes one value, and then reads everything again: what came out is what
// went in with just that value changed, or nothing is given back.
func edit(name string, text []byte, place string, s Set) ([]byte, error) {
	doc, before, err := find(name, text, place)
	if err != nil {
		return nil, err
	}
	out, err := splice(text, doc, s)
	if err != nil {
		return nil, err
	}
	_, after, err := find(name, out, place)
	if err == nil && len(after) != len(before) {
		err = fmt.Errorf("there are %d documents instead of %d", len(after), len(before))
	}
	for i := range before {
		if err != nil {
			break
		}
		want, is := tree(before[i].Spec.YAML), tree(after[i].Spec.YAML)
		if before[i].Place == doc.Place {
			want = put(want, s)
		}
		if before[i].Kind != after[i].Kind || before[i].Name != after[i].Name || !maps.Equal(before[i].Labels, after[i].Labels) || !same(want, is) {
			err = fmt.Errorf("%s/%s would say something else", before[i].Kind, before[i].Name)
		}
	}
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "%s cannot be changed in place: %v", strings.Join(s.Path, "."), err).At(doc.Spec.Place(s.Path...)).
			Mend("change it by hand")
	}
	return out, nil
}

// find reads a file and finds the document that begins at a place.
func find(name string, text []byte, place string) (document.Document, []document.Document, error) {
	docs, is := document.Parse(name, text, document.Git)
	if err := is.Err(); err != nil {
		return document.Document{}, nil, err
	}
	i := slices.IndexFunc(docs, func(d document.Document) bool { return d.Place == place })
	if i < 0 {
		return document.Document{}, nil, fault.New(fault.NotFound, "no document begins at %s", place)
	}
	return docs[i], docs, nil
}

// tree is a value without places, comments and style: text for scalars, with
// their tag, maps and lists.
func tree(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = tree(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, c := range n.Content {
			l[i] = tree(c)
		}
		return l
	}
	return leaf{n.Value, n.ShortTag() != "!!str"}
}

// leaf is a scalar; word says that it is no text.
type leaf struct {
	text string
	word bool
}

// put does to a tree what a Set does to the text that it was read from.
func put(at any, s Set) any {
	last := len(s.Path) == 1
	switch at := at.(type) {
	case map[string]any:
		key := s.Path[0]
		switch {
		case !last:
			at[key] = put(at[key], Set{Path: s.Path[1:], Value: s.Value, Word: s.Word, Whole: s.Whole, Op: s.Op})
		case s.Op == Remove:
			delete(at, key)
		case s.Op == Append:
			l, _ := at[key].([]any)
			at[key] = append(l, leaf{s.Value, s.Word})
		case s.Whole != nil:
			at[key] = grown(s.Whole)
		default:
			at[key] = leaf{s.Value, s.Word}
		}
		return at
	case []any:
		if i, err := strconv.Atoi(s.Path[0]); err == nil && last && s.Op == Remove && i >= 0 && i < len(at) {
			return slices.Delete(at, i, i+1)
		}
	}
	return at
}

// grown is the tree of a value as Whole has it.
func grown(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, x := range v {
			m[k] = grown(x)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = grown(x)
		}
		return l
	case string:
		return leaf{v, false}
	}
	return leaf{flow(v), true}
}

// flow is a value on one line.
func flow(v any) string {
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quoted(k)+": "+flow(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, x := range v {
			parts = append(parts, flow(x))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return quoted(v)
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return "null"
}

func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	}
	return a == b
}
