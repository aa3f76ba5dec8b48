package part

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
)

// maxYAML bounds a file: the reader takes some hundred times its bytes when it is
// all brackets.
const maxYAML = 256 << 10

// parseYAML reads a file of one document. Aliases are refused: changing what one
// stands for would change another place.
func parseYAML(file []byte) (*yaml.Node, error) {
	if len(file) > maxYAML {
		return nil, fmt.Errorf("the file has %d bytes; YAML of at most %d is edited", len(file), maxYAML)
	}
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(file))
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}, nil
	}
	if err == nil {
		var more yaml.Node
		if !errors.Is(d.Decode(&more), io.EOF) {
			err = errors.New("it holds more than one document")
		}
	}
	if err == nil {
		err = plain(&doc, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("the file is not YAML that can be edited: %w", err)
	}
	if len(doc.Content) == 1 && doc.Content[0].ShortTag() == "!!null" {
		doc.Content[0] = &yaml.Node{Kind: yaml.MappingNode, HeadComment: doc.Content[0].HeadComment}
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("the file is YAML, but no mapping with keys")
	}
	return &doc, nil
}

func plain(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode {
		return fmt.Errorf("line %d holds the alias *%s", n.Line, n.Value)
	}
	if depth > maxDepth {
		return fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	seen := map[string]bool{}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if seen[c.Value] {
				return fmt.Errorf("line %d holds the key %q a second time", c.Line, c.Value)
			}
			seen[c.Value] = true
		}
		if err := plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// find is the index of the value at a key, -1 none.
func find(n *yaml.Node, name string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return i + 1
		}
	}
	return -1
}

func (p Part) readYAML(file []byte) (map[string]string, error) {
	doc, err := parseYAML(file)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
next:
	for field, k := range p.keys {
		at := doc.Content[0]
		for _, name := range k.path {
			i := find(at, name)
			if i < 0 {
				continue next
			}
			at = at.Content[i]
		}
		var v any
		if err := at.Decode(&v); err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", field, err)
		}
		text, err := compactJSON(jsonable(v))
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", field, err)
		}
		out[field] = text
	}
	return out, nil
}

// jsonable turns what YAML gives into what JSON can say.
func jsonable(v any) any {
	switch x := v.(type) {
	case map[any]any:
		m := map[string]any{}
		for k, e := range x {
			m[fmt.Sprint(k)] = jsonable(e)
		}
		return m
	case map[string]any:
		for k, e := range x {
			x[k] = jsonable(e)
		}
	case []any:
		for i, e := range x {
			x[i] = jsonable(e)
		}
	}
	return v
}

func (p Part) editYAML(file []byte, fields []string, absent bool) ([]byte, error) {
	doc, err := parseYAML(file)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		k, at := p.keys[f], doc.Content[0]
		for i, name := range k.path {
			at2 := find(at, name)
			last := i == len(k.path)-1
			switch {
			case absent && at2 < 0:
				last = true
			case last && absent:
				at.Content = append(at.Content[:at2-1:at2-1], at.Content[at2+1:]...)
			case last:
				var v yaml.Node
				if err := v.Encode(k.value); err != nil {
					return nil, err
				}
				if at2 < 0 {
					at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name, Tag: "!!str"}, &v)
					break
				}
				old := at.Content[at2]
				v.HeadComment, v.LineComment, v.FootComment = old.HeadComment, old.LineComment, old.FootComment
				at.Content[at2] = &v
			case at2 < 0:
				next := &yaml.Node{Kind: yaml.MappingNode}
				at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name, Tag: "!!str"}, next)
				at = next
			case at.Content[at2].Kind != yaml.MappingNode:
				return nil, fmt.Errorf("%s holds no keys in the file, so %s cannot be set", name, f)
			default:
				at = at.Content[at2]
			}
			if last {
				break
			}
		}
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(max(2, len(indentOf(file))))
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
