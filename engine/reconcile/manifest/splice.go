package manifest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// splice makes the change in the text. Where things end it tells by how they are
// written; whoever calls reads the result again.
func splice(text []byte, doc document.Document, s Set) ([]byte, error) {
	cannot := func(why string) error {
		return fault.New(fault.Unprocessable, "%s cannot be changed in place: %s", strings.Join(s.Path, "."), why).At(doc.Spec.Place(s.Path...)).Mend("change it by hand")
	}
	parent, last := doc.Spec.YAML, s.Path[len(s.Path)-1]
	for _, key := range s.Path[:len(s.Path)-1] {
		if parent, _ = child(parent, key); parent == nil {
			break
		}
	}
	if parent == nil || parent.Kind != yaml.MappingNode && parent.Kind != yaml.SequenceNode || len(parent.Content) == 0 {
		return nil, cannot("there is nothing that it would belong to")
	}
	e := editor{text: text}
	at := e.begin(parent)
	if at < 0 {
		return nil, cannot("the place of its parent is not known")
	}
	old, key := child(parent, last)
	if old == nil && s.Op == Remove {
		return nil, cannot("it is not there")
	}
	if old != nil && (e.begin(old) < 0 || key != nil && e.begin(key) < 0) {
		return nil, cannot("its place is not known")
	}
	inFlow := e.flow(parent)
	indent := parent.Column - 1
	var out []byte
	switch {
	case s.Op == Remove && inFlow:
		out = e.removeInFlow(parent, old, key)
	case s.Op == Remove:
		out = e.removeLines(parent, old, key)
	case s.Op == Append && old != nil:
		out = e.append(old, indent, s.Value)
	default:
		head, body := e.written(s, inFlow, indent)
		switch {
		case parent.Kind != yaml.MappingNode:
		case old == nil && inFlow:
			out = slices.Concat(text[:at+1], []byte(quoted(last)+": "+head+", "), text[at+1:])
		case old == nil:
			out = slices.Concat(text[:at], []byte(scalar(last)+": "+head+"\n"+body+strings.Repeat(" ", indent)), text[at:])
		case old.Kind == yaml.ScalarNode:
			out = e.replaceScalar(old, inFlow, indent, head, body)
		case inFlow || e.flow(old):
			end, below := e.end(old, inFlow, indent)
			if body != "" {
				out = slices.Concat(text[:e.begin(old)], []byte(head+"\n"+body), text[below:])
			} else {
				out = slices.Concat(text[:e.begin(old)], []byte(head), text[end:])
			}
		default:
			_, below := e.end(old, false, indent)
			if colon := e.colon(key); colon >= 0 {
				out = slices.Concat(text[:colon+1], []byte(" "+head+"\n"+body), text[below:])
			}
		}
	}
	if out == nil {
		return nil, cannot("it is written in a way that is not followed")
	}
	return out, nil
}

// child is what stands under a key or a number, and the key; nil for nothing.
func child(n *yaml.Node, name string) (value, key *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], nil
		}
		return nil, nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1], n.Content[i]
		}
	}
	return nil, nil
}

// editor finds its way in a text by the nodes that were read from it.
type editor struct{ text []byte }

func (e editor) begin(n *yaml.Node) int { return offset(e.text, n.Line, n.Column) }

// flow says that a collection stands in brackets.
func (e editor) flow(n *yaml.Node) bool {
	at := e.begin(n)
	return n.Kind != yaml.ScalarNode && at >= 0 && (e.text[at] == '{' || e.text[at] == '[')
}

// written is a value as it stands behind its key, and the lines below it.
func (e editor) written(s Set, inFlow bool, indent int) (head, body string) {
	switch {
	case s.Op == Append:
		return flow([]any{s.Value}), ""
	case s.Whole != nil:
		return flow(s.Whole), ""
	case s.Word:
		return s.Value, ""
	case inFlow:
		return quoted(s.Value), ""
	}
	return value(s.Value, indent+2, 2)
}

// end is where a value ends, and where the lines do that belong to it. indent is
// that of what it belongs to.
func (e editor) end(n *yaml.Node, inFlow bool, indent int) (end, below int) {
	at := e.begin(n)
	switch {
	case at < 0:
		return len(e.text), len(e.text)
	case n.Kind == yaml.ScalarNode:
		return span(e.text, at, inFlow, indent, false)
	case e.flow(n):
		end = at + 1
		if k := len(n.Content); k > 0 {
			end, _ = e.end(n.Content[k-1], true, indent)
		}
		if i := bytes.IndexAny(e.text[end:], "]}"); i >= 0 {
			end += i + 1
		}
		return end, lineEnd(e.text, end)
	case len(n.Content) == 0:
		return at, lineEnd(e.text, at)
	}
	return e.end(n.Content[len(n.Content)-1], false, n.Column-1)
}

// colon is where the sign behind a key stands, -1 nowhere.
func (e editor) colon(key *yaml.Node) int {
	at := e.begin(key)
	end := at + len(key.Value)
	if e.text[at] == '"' || e.text[at] == '\'' {
		end, _ = span(e.text, at, true, 0, false)
	}
	if end > len(e.text) {
		return -1
	}
	if i := bytes.IndexByte(e.text[end:], ':'); i >= 0 && len(bytes.TrimSpace(e.text[end:end+i])) == 0 {
		return end + i
	}
	return -1
}

// replaceScalar leaves the comment behind it.
func (e editor) replaceScalar(old *yaml.Node, inFlow bool, indent int, head, body string) []byte {
	text, begin := e.text, e.begin(old)
	end, below := span(text, begin, inFlow, indent, strings.HasPrefix(head, "|") && strings.HasSuffix(head, "+"))
	tail := text[end:lineEnd(text, end)] // a comment, perhaps, and the end of the line
	if body != "" && !bytes.HasSuffix(tail, []byte("\n")) {
		tail = append(slices.Clone(tail), '\n')
	}
	return slices.Concat(text[:begin], []byte(head), tail, []byte(body), text[below:])
}

// removeInFlow takes one of those in brackets away, with the comma that parts it
// from a neighbour.
func (e editor) removeInFlow(parent, old, key *yaml.Node) []byte {
	first, step := old, 1
	if key != nil {
		first, step = key, 2
	}
	i := slices.Index(parent.Content, first)
	from := e.begin(first)
	to, _ := e.end(old, true, 0)
	switch {
	case i+step < len(parent.Content):
		to = e.begin(parent.Content[i+step])
	case i > 0:
		from, _ = e.end(parent.Content[i-1], true, 0)
	}
	if from < 0 || to < from {
		return nil
	}
	return slices.Concat(e.text[:from], e.text[to:])
}

// removeLines takes the lines of one away; nil when something else stands on them.
func (e editor) removeLines(parent, old, key *yaml.Node) []byte {
	first, lead := old, "-"
	if key != nil {
		first, lead = key, ""
	}
	at := e.begin(first)
	from := bytes.LastIndexByte(e.text[:at], '\n') + 1
	if string(bytes.TrimSpace(e.text[from:at])) != lead {
		return nil
	}
	_, below := e.end(old, false, parent.Column-1)
	return slices.Concat(e.text[:from], e.text[below:])
}

// append adds one to a list.
func (e editor) append(list *yaml.Node, indent int, v string) []byte {
	if list.Kind != yaml.SequenceNode {
		return nil
	}
	at := e.begin(list)
	n := len(list.Content)
	switch {
	case e.flow(list) && n == 0:
		return slices.Concat(e.text[:at+1], []byte(quoted(v)), e.text[at+1:])
	case e.flow(list):
		end, _ := e.end(list.Content[n-1], true, indent)
		return slices.Concat(e.text[:end], []byte(", "+quoted(v)), e.text[end:])
	}
	_, below := e.end(list, false, indent)
	line := strings.Repeat(" ", list.Column-1) + "- " + scalar(v) + "\n"
	if below > 0 && e.text[below-1] != '\n' {
		line = "\n" + line
	}
	return slices.Concat(e.text[:below], []byte(line), e.text[below:])
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
