package part

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// node is a JSON value that keeps the order of its keys and the text of its
// numbers.
type node struct {
	object bool
	names  []string
	values []*node
	raw    string // compact text of anything but an object
}

const maxDepth = 64

func parseJSON(file []byte) (*node, error) {
	if len(bytes.TrimSpace(file)) == 0 {
		return &node{object: true}, nil
	}
	d := json.NewDecoder(bytes.NewReader(file))
	d.UseNumber()
	n, err := readNode(d, 0)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something stands after the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the file is not JSON: %w", err)
	}
	if !n.object {
		return nil, errors.New("the file is JSON, but no object with keys")
	}
	return n, nil
}

func readNode(d *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		n := &node{object: true}
		seen := map[string]bool{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			name := k.(string)
			if seen[name] {
				return nil, fmt.Errorf("the key %q stands twice", name)
			}
			seen[name] = true
			v, err := readNode(d, depth+1)
			if err != nil {
				return nil, err
			}
			n.names, n.values = append(n.names, name), append(n.values, v)
		}
		_, err = d.Token()
		return n, err
	case json.Delim('['):
		var items []string
		for d.More() {
			v, err := readNode(d, depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, v.compact())
		}
		_, err = d.Token()
		return &node{raw: "[" + strings.Join(items, ",") + "]"}, err
	}
	raw, err := compactJSON(t)
	return &node{raw: raw}, err
}

// compactJSON is one value without spaces and without HTML escapes.
func compactJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func (n *node) compact() string {
	if !n.object {
		return n.raw
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range n.names {
		if i > 0 {
			b.WriteByte(',')
		}
		k, _ := compactJSON(name)
		b.WriteString(k + ":" + n.values[i].compact())
	}
	b.WriteByte('}')
	return b.String()
}

func (n *node) get(name string) *node {
	if n == nil || !n.object {
		return nil
	}
	for i, k := range n.names {
		if k == name {
			return n.values[i]
		}
	}
	return nil
}

func (n *node) set(name string, v *node) {
	for i, k := range n.names {
		if k == name {
			n.values[i] = v
			return
		}
	}
	n.names, n.values = append(n.names, name), append(n.values, v)
}

func (n *node) drop(name string) {
	for i, k := range n.names {
		if k == name {
			n.names, n.values = append(n.names[:i:i], n.names[i+1:]...), append(n.values[:i:i], n.values[i+1:]...)
			return
		}
	}
}

func (p Part) readJSON(file []byte) (map[string]string, error) {
	root, err := parseJSON(file)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for field, k := range p.keys {
		at := root
		for _, name := range k.path {
			at = at.get(name)
		}
		if at != nil {
			out[field] = sortedJSON(at.compact())
		}
	}
	return out, nil
}

// sortedJSON is the text of a value with the keys inside it in order, so that two
// spellings of one value are one text.
func sortedJSON(text string) string {
	if !strings.ContainsAny(text, "{") {
		return text
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	s, err := compactJSON(v)
	if err != nil {
		return text
	}
	return s
}

func (p Part) editJSON(file []byte, fields []string, absent bool) ([]byte, error) {
	root, err := parseJSON(file)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		k, at := p.keys[f], root
		for i, name := range k.path {
			last := i == len(k.path)-1
			switch next := at.get(name); {
			case last && absent:
				at.drop(name)
			case last:
				at.set(name, &node{raw: p.want[f]})
			case next == nil && absent:
				at = &node{object: true} // nothing there to take away
			case next == nil || !next.object:
				if next != nil {
					return nil, fmt.Errorf("%s holds no keys in the file, so %s cannot be set", name, f)
				}
				next = &node{object: true}
				at.set(name, next)
				at = next
			default:
				at = next
			}
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(root.compact()), "", indentOf(file)); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// indentOf is the spaces or tabs before the first key of a file.
func indentOf(file []byte) string {
	for line := range bytes.Lines(file) {
		text := bytes.TrimLeft(line, " \t")
		if len(text) < len(line) && len(bytes.TrimSpace(text)) > 0 {
			return string(line[:len(line)-len(text)])
		}
	}
	return "  "
}
