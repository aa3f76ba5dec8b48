// Package part is the managed part of a file whose rest belongs to others: a
// block between markers, lines, or keys of a JSON, YAML, TOML or INI file.
//
// A [Part] says which properties it speaks of, reads them from the bytes of a
// file, and changes just those that it is told to. Lines and keys of others keep
// their place, and in all but JSON their comments and spacing too.
//
// It refuses a file that it does not understand whole rather than guess, and
// repeated keys. Invariants: Edit followed by Read gives the wanted value of
// every field that was edited; a second Edit changes no byte. Pure.
package part

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Part is one managed part. Immutable.
type Part struct {
	format string
	want   map[string]string // field -> wanted value, as Read tells it
	name   string            // of the block
	text   string            // inside the block
	mark   string            // comment sign of the markers
	keys   map[string]key
	lines  map[string]int // field -> which of the lines it is, from 1
}

// key is one managed value of a structured file.
type key struct {
	path  []string
	value any // string, bool, float64, nil, []any of these, map for json and yaml alone
}

// Bounds of what one part may hold.
const (
	maxKeys = 10_000
	maxLine = 4096
)

// Block manages the text between "<mark> BEGIN vigil <name>" and its END.
func Block(name, mark, text string) (Part, error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	p := Part{format: "block", name: name, text: text, mark: mark}
	if strings.ContainsAny(name+mark, "\n\r") || strings.TrimSpace(name) == "" || mark == "" {
		return p, fmt.Errorf("a block needs a name and a comment sign, on one line each")
	}
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); t == p.begin() || t == p.end() {
			return p, fmt.Errorf("the block holds its own marker %q", t)
		}
	}
	p.want = map[string]string{"block:" + name: digest(text)}
	return p, nil
}

func (p Part) begin() string { return p.mark + " BEGIN vigil " + p.name }
func (p Part) end() string   { return p.mark + " END vigil " + p.name }

// isMark: a part that was rebuilt from its fields does not know the comment sign.
func (p Part) isMark(line []byte, marker string) bool {
	text := strings.TrimSpace(string(line))
	return text == marker || p.mark == "" && strings.HasSuffix(text, marker)
}

// Old is the part that once wrote the given fields, for taking them away; ok is
// false when they name no part. Other fields of a state are passed over.
func Old(fields []string) (Part, bool) {
	p := Part{want: map[string]string{}, keys: map[string]key{}, lines: map[string]int{}}
	unesc := strings.NewReplacer("~1", "/", "~0", "~")
	for _, f := range fields {
		format, rest, ok := strings.Cut(f, ":")
		switch {
		case !ok:
			continue
		case format == "block":
			p.name = rest
		case format == "line":
			format, p.lines[f] = "lines", len(p.lines)+1
		case format == "json" || format == "yaml" || format == "toml" || format == "ini":
			path := strings.Split(strings.TrimPrefix(rest, "/"), "/")
			for i := range path {
				path[i] = unesc.Replace(path[i])
			}
			p.keys[f] = key{path: path}
		default:
			continue
		}
		p.format, p.want[f] = format, "yes"
	}
	return p, p.format != ""
}

// Lines manages single lines that have to be somewhere in the file.
func Lines(lines []string) (Part, error) {
	p := Part{format: "lines", want: map[string]string{}, lines: map[string]int{}}
	if len(lines) == 0 || len(lines) > maxKeys {
		return p, fmt.Errorf("expected 1 to %d lines, found %d", maxKeys, len(lines))
	}
	for i, l := range lines {
		switch {
		case strings.ContainsAny(l, "\n\r\x00") || len(l) > maxLine:
			return p, fmt.Errorf("%.40q is not one line of at most %d bytes", l, maxLine)
		case strings.TrimSpace(l) == "":
			return p, fmt.Errorf("an empty line cannot be managed")
		case p.want["line:"+l] != "":
			return p, fmt.Errorf("the line %.80q stands here twice", l)
		}
		p.want["line:"+l], p.lines["line:"+l] = "yes", i+1
	}
	return p, nil
}

// Keys manages values of a file of the format json, yaml, toml or ini. values
// nests as the file does: a mapping opens a level, anything else is a value.
func Keys(format string, values map[string]any) (Part, error) {
	p := Part{format: format, want: map[string]string{}, keys: map[string]key{}}
	if len(values) == 0 {
		return p, fmt.Errorf("values holds nothing to manage")
	}
	var walk func(path []string, v any) error
	walk = func(path []string, v any) error {
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			for name, x := range m {
				if name == "" || strings.ContainsAny(name, "\n\r\x00") || (format == "ini" || format == "toml") && strings.ContainsAny(name, "[]=#;\"'") {
					return fmt.Errorf("%q cannot be a key of %s", name, format)
				}
				if err := walk(append(slices.Clone(path), name), x); err != nil {
					return err
				}
			}
			return nil
		}
		if len(p.keys) >= maxKeys {
			return fmt.Errorf("more than %d values", maxKeys)
		}
		if format == "ini" && len(path) > 2 {
			return fmt.Errorf("%s: an INI file has sections and keys and no deeper level", strings.Join(path, "."))
		}
		text, err := p.written(v)
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(path, "."), err)
		}
		field := p.field(path)
		p.keys[field] = key{path, v}
		p.want[field] = text
		return nil
	}
	switch format {
	case "json", "yaml", "toml", "ini":
		return p, walk(nil, values)
	}
	return p, fmt.Errorf("%q is not json, yaml, toml or ini", format)
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// field is the name of a value as differences show it: json:/a/b, with ~ and /
// escaped as in a JSON pointer.
func (p Part) field(path []string) string {
	var b strings.Builder
	b.WriteString(p.format + ":")
	for _, s := range path {
		b.WriteString("/" + escape.Replace(s))
	}
	return b.String()
}

// Want is every managed property and its wanted value. The caller may keep it
// and not change it.
func (p Part) Want() map[string]string { return p.want }

// Line is which of the managed lines a field is, in the order in which they were
// given, from 1; 0 is none.
func (p Part) Line(field string) int { return p.lines[field] }

// Read tells the managed properties of a file; what is not there is left out. An
// error says why the file cannot be understood.
func (p Part) Read(file []byte) (map[string]string, error) {
	switch p.format {
	case "block":
		_, in, _, found, err := p.cut(file)
		if err != nil || !found {
			return nil, err
		}
		return map[string]string{"block:" + p.name: digest(string(in))}, nil
	case "lines":
		out := map[string]string{}
		for line := range bytes.Lines(file) {
			if f := "line:" + strings.TrimRight(string(line), "\r\n"); p.want[f] != "" {
				out[f] = "yes"
			}
		}
		return out, nil
	case "json":
		return p.readJSON(file)
	case "yaml":
		return p.readYAML(file)
	}
	return p.readSections(file)
}

// Edit gives the named fields their wanted value (absent: takes them away) and
// leaves every other byte that it can. Unknown fields are left alone.
func (p Part) Edit(file []byte, fields []string, absent bool) ([]byte, error) {
	fields = slices.DeleteFunc(slices.Clone(fields), func(f string) bool { _, ok := p.want[f]; return !ok })
	if len(fields) == 0 {
		return file, nil
	}
	sort.Strings(fields)
	switch p.format {
	case "block":
		return p.editBlock(file, absent)
	case "lines":
		return p.editLines(file, fields, absent), nil
	case "json":
		return p.editJSON(file, fields, absent)
	case "yaml":
		return p.editYAML(file, fields, absent)
	}
	return p.editSections(file, fields, absent)
}

// cut splits a file around the block.
func (p Part) cut(file []byte) (before, in, after []byte, found bool, err error) {
	at, from := 0, -1
	for line := range bytes.Lines(file) {
		next := at + len(line)
		switch {
		case p.isMark(line, p.begin()):
			if from >= 0 || found {
				return nil, nil, nil, false, fmt.Errorf("the marker %q stands in the file twice", p.begin())
			}
			from, before = next, file[:at]
		case p.isMark(line, p.end()):
			if from < 0 || found {
				return nil, nil, nil, false, fmt.Errorf("the marker %q stands in the file without its begin", p.end())
			}
			in, after, found = file[from:at], file[next:], true
			from = -1
		}
		at = next
	}
	if from >= 0 {
		return nil, nil, nil, false, fmt.Errorf("the marker %q stands in the file without its end", p.begin())
	}
	return before, in, after, found, nil
}

func (p Part) editBlock(file []byte, absent bool) ([]byte, error) {
	before, _, after, found, err := p.cut(file)
	if err != nil {
		return nil, err
	}
	switch {
	case !found && absent:
		return file, nil
	case absent:
		return slices.Concat(before, after), nil
	case !found:
		before = ended(file)
	}
	return slices.Concat(before, []byte(p.begin()+"\n"+p.text+p.end()+"\n"), after), nil
}

func (p Part) editLines(file []byte, fields []string, absent bool) []byte {
	missing := map[string]bool{}
	for _, f := range fields {
		missing[strings.TrimPrefix(f, "line:")] = true
	}
	var out []byte
	for line := range bytes.Lines(file) {
		text := strings.TrimRight(string(line), "\r\n")
		if missing[text] && absent {
			continue
		}
		delete(missing, text)
		out = append(out, line...)
	}
	if absent {
		return out
	}
	for _, f := range fields { // sorted: the same file whatever the order of the map
		if l := strings.TrimPrefix(f, "line:"); missing[l] {
			out = append(ended(out), l+"\n"...)
		}
	}
	return out
}

// ended is the file with an end to its last line.
func ended(file []byte) []byte {
	if len(file) > 0 && file[len(file)-1] != '\n' {
		return append(slices.Clone(file), '\n')
	}
	return file
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
