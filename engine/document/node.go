package document

import (
	"iter"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Node is a part of a document that knows where it stands.
type Node struct {
	File string
	YAML *yaml.Node // nil: absent
}

// Absent reports whether there is nothing here.
func (n Node) Absent() bool { return n.YAML == nil }

// IsMapping, IsSequence and IsScalar say what stands here.
func (n Node) IsMapping() bool { return n.YAML != nil && n.YAML.Kind == yaml.MappingNode }

// IsSequence reports whether n is a list.
func (n Node) IsSequence() bool { return n.YAML != nil && n.YAML.Kind == yaml.SequenceNode }

// IsScalar reports whether n is one value.
func (n Node) IsScalar() bool { return n.YAML != nil && n.YAML.Kind == yaml.ScalarNode }

// Text is the text of a scalar as it was written, "" for anything else.
func (n Node) Text() string {
	if !n.IsScalar() {
		return ""
	}
	return n.YAML.Value
}

// Get is the value at a key of a mapping; absent when there is none.
func (n Node) Get(key string) Node {
	if !n.IsMapping() {
		return Node{File: n.File}
	}
	for i := 0; i+1 < len(n.YAML.Content); i += 2 {
		if n.YAML.Content[i].Value == key {
			return Node{n.File, n.YAML.Content[i+1]}
		}
	}
	return Node{File: n.File}
}

// Keys are the keys of a mapping, in the order of the text.
func (n Node) Keys() []string {
	if !n.IsMapping() {
		return nil
	}
	keys := make([]string, 0, len(n.YAML.Content)/2)
	for i := 0; i+1 < len(n.YAML.Content); i += 2 {
		keys = append(keys, n.YAML.Content[i].Value)
	}
	return keys
}

// Pairs are the keys of a mapping with their values, in the order of the text. A
// mapping may have very many: Get, for each of them, would go through all.
func (n Node) Pairs() iter.Seq2[string, Node] {
	return func(yield func(string, Node) bool) {
		if !n.IsMapping() {
			return
		}
		for i := 0; i+1 < len(n.YAML.Content); i += 2 {
			if !yield(n.YAML.Content[i].Value, Node{n.File, n.YAML.Content[i+1]}) {
				return
			}
		}
	}
}

// Items are the items of a list, in order.
func (n Node) Items() []Node {
	if !n.IsSequence() {
		return nil
	}
	items := make([]Node, len(n.YAML.Content))
	for i, c := range n.YAML.Content {
		items[i] = Node{n.File, c}
	}
	return items
}

// Place is file:line:column of the value at a path of keys (a number picks an
// item of a list), or of the nearest ancestor that exists.
func (n Node) Place(path ...string) string {
	at := n
	for _, key := range path {
		next := at.Get(key)
		if at.IsSequence() {
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(at.YAML.Content) {
				next = Node{n.File, at.YAML.Content[i]}
			}
		}
		if next.Absent() {
			break
		}
		at = next
	}
	return at.place()
}

func (n Node) place() string { return place(n.File, n.YAML) }

func place(file string, n *yaml.Node) string {
	if n == nil || n.Line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(n.Line) + ":" + strconv.Itoa(n.Column)
}
