package manifest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Set is one value of a document that is to be another. Path leads to it below
// spec; what is not there yet is added when all above it is there.
type Set struct {
	Path  []string
	Value string
	Word  bool // true, false or a number: written without quotes
}

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
			put(want, s)
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

func put(at any, s Set) {
	for _, key := range s.Path[:len(s.Path)-1] {
		m, _ := at.(map[string]any)
		at = m[key]
	}
	if m, ok := at.(map[string]any); ok {
		m[s.Path[len(s.Path)-1]] = leaf{s.Value, s.Word}
	}
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

// splice writes the value into the text.
func splice(text []byte, doc document.Document, s Set) ([]byte, error) {
	parent, last := doc.Spec, s.Path[len(s.Path)-1]
	for _, key := range s.Path[:len(s.Path)-1] {
		parent = parent.Get(key)
	}
	cannot := func(why string) error {
		return fault.New(fault.Unprocessable, "%s cannot be changed in place: %s", strings.Join(s.Path, "."), why).At(doc.Spec.Place(s.Path...)).Mend("change it by hand")
	}
	if !parent.IsMapping() || len(parent.YAML.Content) == 0 {
		return nil, cannot("there is nothing that it would belong to")
	}
	at := offset(text, parent.YAML.Line, parent.YAML.Column)
	if at < 0 {
		return nil, cannot("the place of its parent is not known")
	}
	flow := text[at] == '{'
	indent := parent.YAML.Column - 1
	head, body := scalar(s.Value), ""
	switch {
	case s.Word:
		head = s.Value
	case flow:
		head = quoted(s.Value)
	default:
		head, body = value(s.Value, indent+2, 2)
	}
	old := parent.Get(last)
	if old.Absent() {
		if flow {
			return slices.Concat(text[:at+1], []byte(quoted(last)+": "+head+", "), text[at+1:]), nil
		}
		return slices.Concat(text[:at], []byte(scalar(last)+": "+head+"\n"+body+strings.Repeat(" ", indent)), text[at:]), nil
	}
	if !old.IsScalar() {
		return nil, cannot("it is no single value")
	}
	begin := offset(text, old.YAML.Line, old.YAML.Column)
	if begin < 0 {
		return nil, cannot("its place is not known")
	}
	end, below := span(text, begin, flow, indent, strings.HasPrefix(head, "|") && strings.HasSuffix(head, "+"))
	rest := lineEnd(text, end)
	tail := text[end:rest] // a comment, perhaps, and the end of the line
	if body != "" && !bytes.HasSuffix(tail, []byte("\n")) {
		tail = append(slices.Clone(tail), '\n')
	}
	return slices.Concat(text[:begin], []byte(head), tail, []byte(body), text[below:]), nil
}

// offset is where a line and a column (of runes, from 1) are in a text, -1 nowhere.
func offset(text []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	for range column - 1 {
		if at >= len(text) || text[at] == '\n' {
			return -1
		}
		at++
		for at < len(text) && text[at]&0xc0 == 0x80 {
			at++
		}
	}
	if at >= len(text) {
		return -1
	}
	return at
}

// lineEnd is behind the line end that follows at, or the end of the text.
func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

// span is where the token of a scalar ends, and where the lines below it do that
// belong to it. all takes the empty lines that follow with it.
func span(text []byte, begin int, flow bool, indent int, all bool) (end, below int) {
	end = begin
	switch c := text[begin]; c {
	case '"', '\'':
		for end++; end < len(text); end++ {
			switch {
			case c == '"' && text[end] == '\\':
				end++
			case c == '\'' && text[end] == c && end+1 < len(text) && text[end+1] == c:
				end++
			case text[end] == c:
				end++
				return end, eat(text, lineEnd(text, end), all)
			}
		}
		return len(text), len(text)
	case '|', '>':
		if flow {
			break
		}
		keeps := all
		for end < len(text) && !bytes.ContainsRune([]byte(" \t\r\n"), rune(text[end])) {
			keeps = keeps || text[end] == '+'
			end++
		}
		below = lineEnd(text, end)
		for at := below; at < len(text); {
			next := lineEnd(text, at)
			line := bytes.TrimRight(text[at:next], "\r\n")
			switch deep := len(line) - len(bytes.TrimLeft(line, " ")); {
			case len(bytes.TrimSpace(line)) == 0 && deep <= indent:
				if keeps {
					below = next
				}
			case deep <= indent:
				return end, below
			default:
				below = next
			}
			at = next
		}
		return end, below
	}
	for end < len(text) && text[end] != '\n' && text[end] != '\r' {
		if flow && bytes.IndexByte([]byte(",]}"), text[end]) >= 0 || text[end] == '#' && end > begin && (text[end-1] == ' ' || text[end-1] == '\t') {
			break
		}
		end++
	}
	for end > begin && (text[end-1] == ' ' || text[end-1] == '\t') {
		end--
	}
	return end, eat(text, lineEnd(text, end), all)
}

// eat passes over empty lines when they would become part of the value.
func eat(text []byte, at int, all bool) int {
	for all && at < len(text) {
		next := lineEnd(text, at)
		if len(bytes.TrimSpace(text[at:next])) > 0 {
			break
		}
		at = next
	}
	return at
}
