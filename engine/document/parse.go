package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"vigil/engine/fault"
)

// Parse reads every document of one file, YAML or JSON. What is wrong comes back
// as issues, in the order of the text; documents without issues of their own are
// returned beside them. An empty file holds no documents.
func Parse(file string, data []byte, owner Owner) ([]Document, fault.Issues) {
	roots, issues := load(file, data)
	var docs []Document
	for _, root := range roots {
		ds, is := documents(Node{file, root}, owner)
		docs = append(docs, ds...)
		issues = append(issues, is...)
		if len(docs) > MaxDocuments {
			issues.Add(file, "more than %d documents in one file", MaxDocuments)
			return nil, issues
		}
	}
	return docs, issues
}

// ParseJSON reads one JSON value, such as the body of a request, under the same
// rules: duplicate keys and depth included. file is the name used in places.
func ParseJSON(file string, data []byte) (Node, fault.Issues) {
	var issues fault.Issues
	if !sane(file, data, &issues) {
		return Node{File: file}, issues
	}
	root, err := fromJSON(data)
	if err != nil {
		issues.Add(err.place(file), "%s", err.msg)
		return Node{File: file}, issues
	}
	issues = strict(file, root)
	if len(issues) > 0 {
		return Node{File: file}, issues
	}
	return Node{file, root}, nil
}

// Trees reads one file under the same rules, but takes any documents: those of
// ours and those of others, such as a kustomization. Safe for concurrent use.
func Trees(file string, data []byte) ([]Node, fault.Issues) {
	roots, issues := load(file, data)
	nodes := make([]Node, len(roots))
	for i, r := range roots {
		nodes[i] = Node{file, r}
	}
	return nodes, issues
}

// load turns a file into the roots of its documents; a root with issues of its
// own is left out.
func load(file string, data []byte) (roots []*yaml.Node, issues fault.Issues) {
	if !sane(file, data, &issues) {
		return nil, issues
	}
	if looksLikeJSON(data) {
		root, err := fromJSON(data)
		switch {
		case err == nil:
			if is := strict(file, root); len(is) > 0 {
				return nil, is
			}
			return []*yaml.Node{root}, nil
		case err.limit:
			issues.Add(err.place(file), "%s", err.msg)
			return nil, issues
		}
	}
	if line, what := crowded(data); what != "" {
		issues = append(issues, fault.Issue{Place: fmt.Sprintf("%s:%d", file, line), Msg: what, Hint: "split the file"})
		return nil, issues
	}
	limits := loaderlimits.New(loaderlimits.DepthValue(MaxDepth + 1))
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(limits))
	if err != nil {
		issues.Add(file, "cannot be read as YAML: %v", err)
		return nil, issues
	}
	for count := 0; ; count++ {
		var doc yaml.Node
		if err := loader.Load(&doc); errors.Is(err, io.EOF) {
			return roots, issues
		} else if err != nil {
			issues.Add(loadPlace(file, err), "%s", loadMessage(err))
			return roots, issues
		}
		if count >= MaxDocuments {
			issues.Add(file, "more than %d documents in one file", MaxDocuments)
			return nil, issues
		}
		root := &doc
		if doc.Kind == yaml.DocumentNode {
			if len(doc.Content) == 0 {
				continue
			}
			root = doc.Content[0]
		}
		if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" && root.Anchor == "" {
			continue // nothing between two separators
		}
		if is := strict(file, root); len(is) > 0 {
			issues = append(issues, is...)
			continue
		}
		roots = append(roots, root)
	}
}

// sane refuses what no parser should be given.
func sane(file string, data []byte, issues *fault.Issues) bool {
	if len(data) > MaxBytes {
		issues.Add(file, "the file has %d bytes; at most %d are read", len(data), MaxBytes)
		return false
	}
	if !utf8.Valid(data) {
		line := 1
		for i := 0; i < len(data); {
			r, size := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			i += size
		}
		issues.Add(fmt.Sprintf("%s:%d", file, line), "the text is not UTF-8")
		return false
	}
	return true
}

// crowded finds what would cost the YAML reader far more memory than the text
// has bytes: very many lines, or a very long list in brackets, which it holds
// whole before it knows what it is. Quotes and comments count like anything else.
func crowded(data []byte) (line int, what string) {
	line = 1
	depth, items := 0, 0
	for i, b := range data {
		switch b {
		case '\n':
			if line++; line > maxLines {
				return line, fmt.Sprintf("more than %d lines", maxLines)
			}
			if bytes.HasPrefix(data[i+1:], []byte("---")) {
				depth, items = 0, 0
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth = max(0, depth-1); depth == 0 {
				items = 0
			}
		case ',':
			if depth == 0 {
				continue
			}
			if items++; items > maxItems {
				return line, fmt.Sprintf("more than %d items in brackets", maxItems)
			}
		}
	}
	return 0, ""
}

func loadPlace(file string, err error) string {
	var le *yaml.LoadError
	if errors.As(err, &le) && le.Mark.Line > 0 {
		return fmt.Sprintf("%s:%d:%d", file, le.Mark.Line, max(1, le.Mark.Column))
	}
	return file
}

func loadMessage(err error) string {
	var le *yaml.LoadError
	msg := err.Error()
	if errors.As(err, &le) {
		msg = le.Message
	}
	if strings.Contains(msg, "max depth") {
		return fmt.Sprintf("nested deeper than %d levels", MaxDepth)
	}
	if strings.HasSuffix(msg, "cannot start any token") {
		msg += " (YAML is indented by blanks and never by tabs; text that begins with @, ` or % stands in quotes)"
	}
	return "cannot be read as YAML: " + msg
}

// strict walks a tree and names everything that YAML allows and a document may
// not hold. The tree is at most a little deeper than MaxDepth.
func strict(file string, root *yaml.Node) fault.Issues {
	w := walker{file: file}
	w.walk(root, 1)
	return w.issues
}

type walker struct {
	file   string
	issues fault.Issues
	nodes  int
	full   bool
}

func (w *walker) add(n *yaml.Node, hint, format string, args ...any) {
	w.issues = append(w.issues, fault.Issue{Place: place(w.file, n), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (w *walker) walk(n *yaml.Node, depth int) {
	if w.full {
		return
	}
	w.nodes++
	switch {
	case w.nodes > maxNodes:
		w.full = true
		w.add(n, "split the file", "more than %d values in one document", maxNodes)
		return
	case len(w.issues) > maxIssues:
		w.full = true
		return
	case depth > MaxDepth:
		w.full = true
		w.add(n, "", "nested deeper than %d levels", MaxDepth)
		return
	}
	if n.Anchor != "" {
		w.add(n, "write the value out where it is needed", "anchors are not allowed (&%s)", n.Anchor)
	}
	switch n.Kind {
	case yaml.AliasNode:
		w.add(n, "write the value out where it is needed", "aliases are not allowed (*%s)", n.Value)
		return // never followed
	case yaml.MappingNode:
		w.keys(n)
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
		default:
			w.add(n, "leave the tag out", "the tag %s is not allowed", n.ShortTag())
		}
	}
	for _, c := range n.Content {
		w.walk(c, depth+1)
	}
}

// keys checks the keys of one mapping: text, unmerged, each once.
func (w *walker) keys(n *yaml.Node) {
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind != yaml.ScalarNode:
			if k.Kind != yaml.AliasNode { // said when it is walked
				w.add(k, "", "a key must be text")
			}
		case k.ShortTag() == "!!merge":
			w.add(k, "write the fields out", "merge keys are not allowed (<<)")
			k.Tag = "!!str" // said once
		case seen[k.Value] != nil:
			w.add(k, "keep one of them", "the key %q is given twice, first at line %d", k.Value, seen[k.Value].Line)
		default:
			seen[k.Value] = k
		}
	}
}
