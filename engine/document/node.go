package document

import (
	"go.yaml.in/yaml/v4"

	"vigil/engine/fault"
)

// Node is a part of a document that knows where it stands.
type Node struct {
	File string
	YAML *yaml.Node // nil: absent
}

// Parse reads every document of one file. What is wrong comes back as issues;
// documents without issues of their own are returned beside them.
func Parse(file string, data []byte, owner Owner) ([]Document, fault.Issues) {
	panic("document: not built")
}

// Decode fills a struct (tags `yaml:"name"`, durations as Duration, pointers
// for optional values) strictly. Issues name file:line:column and suggest the
// nearest field.
func (n Node) Decode(into any) fault.Issues { panic("document: not built") }

// Place is file:line:column of the value at a path of keys, or of the nearest
// ancestor that exists.
func (n Node) Place(path ...string) string { panic("document: not built") }
