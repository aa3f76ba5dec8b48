package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// looksLikeJSON reports whether the text begins as a JSON object or array.
// YAML's flow style begins the same way, so a failure to read it as JSON is no
// error yet.
func looksLikeJSON(data []byte) bool {
	t := bytes.TrimLeft(data, " \t\r\n")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[')
}

// jsonError is what is wrong with a JSON text, and where.
type jsonError struct {
	line, column int
	msg          string
	limit        bool // it is well-formed so far and too large
}

func (e *jsonError) place(file string) string {
	return fmt.Sprintf("%s:%d:%d", file, e.line, e.column)
}

// fromJSON builds the same tree that YAML would, with positions, without the
// corners in which JSON is not YAML (escapes, surrogate pairs, tabs).
func fromJSON(data []byte) (*yaml.Node, *jsonError) {
	r := jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1, column: 1}
	r.dec.UseNumber()
	root := r.value(1)
	if r.err == nil {
		r.advance()
		if r.at < len(data) {
			r.fail("there is text after the end of the JSON value")
		}
	}
	return root, r.err
}

type jsonReader struct {
	data         []byte
	dec          *json.Decoder
	at           int // byte offset that line and column describe
	line, column int
	nodes        int
	err          *jsonError
}

// advance moves the position to the start of the next token.
func (r *jsonReader) advance() {
	r.moveTo(int(r.dec.InputOffset()))
	for r.at < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[r.at]) >= 0 {
		r.moveTo(r.at + 1)
	}
}

func (r *jsonReader) moveTo(offset int) {
	for r.at < offset && r.at < len(r.data) {
		c, size := utf8.DecodeRune(r.data[r.at:])
		r.at += size
		r.column++
		if c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
}

func (r *jsonReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &jsonError{line: r.line, column: r.column, msg: fmt.Sprintf(format, args...)}
	}
}

func (r *jsonReader) over(format string, args ...any) {
	r.fail(format, args...)
	r.err.limit = true
}

// value reads one value; depth is bounded before anything is read.
func (r *jsonReader) value(depth int) *yaml.Node {
	r.advance()
	if r.nodes++; r.nodes > maxNodes {
		r.over("more than %d values", maxNodes)
		return nil
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.line, Column: r.column}
	tok, err := r.dec.Token()
	if err != nil {
		r.syntax(err)
		return nil
	}
	switch t := tok.(type) {
	case json.Delim:
		if depth > MaxDepth {
			r.over("nested deeper than %d levels", MaxDepth)
			return nil
		}
		n.Kind, n.Tag, n.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
		if t == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for r.err == nil && r.dec.More() {
			n.Content = append(n.Content, r.value(depth+1))
			if t == '{' && r.err == nil {
				n.Content = append(n.Content, r.value(depth+1))
			}
		}
		if r.err == nil {
			if _, err := r.dec.Token(); err != nil {
				r.syntax(err)
			}
		}
	case string:
		n.Tag, n.Value, n.Style = "!!str", t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", string(t)
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(t)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	}
	return n
}

func (r *jsonReader) syntax(err error) {
	msg := strings.TrimPrefix(err.Error(), "json: ")
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		msg = "it ends too early"
	}
	r.fail("not valid JSON: %s", msg)
}
