package part

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TOML and INI files are edited line by line: sections in brackets, one key a
// line. TOML's values may go over several lines; they are told apart by their
// brackets and quotes. Dotted keys and inline tables are one value each.

// written is the canonical text of a wanted value, as Read tells it.
func (p Part) written(v any) (string, error) {
	switch p.format {
	case "json", "yaml":
		return compactJSON(v)
	case "ini":
		s, ok := plainText(v)
		if !ok || strings.ContainsAny(s, "\n\r\x00") || strings.TrimSpace(s) != s {
			return "", errors.New("expected one line of text, a number or a truth value")
		}
		return s, nil
	}
	return tomlText(v)
}

func plainText(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	}
	return "", false
}

func tomlText(v any) (string, error) {
	switch x := v.(type) {
	case string:
		return compactJSON(x) // a basic string of TOML takes every escape that JSON writes
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return strconv.FormatInt(int64(x), 10), nil
		}
		return strconv.FormatFloat(x, 'g', -1, 64), nil
	case bool:
		return strconv.FormatBool(x), nil
	case []any:
		items := make([]string, len(x))
		for i, e := range x {
			var err error
			if items[i], err = tomlText(e); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	}
	return "", errors.New("expected text, a number, a truth value or a list of these")
}

// entry is one key with the lines that hold it.
type entry struct {
	section  string
	name     string
	from, to int // lines, half open
	value    string
	comment  string // behind the value, with the space before it
}

type sectioned struct {
	lines   []string // with their ends
	entries []entry
	ends    map[string]int // section -> line after its last entry or header
}

func (p Part) parseSections(file []byte) (sectioned, error) {
	s := sectioned{ends: map[string]int{"": 0}}
	whole := string(file)
	var at []int // where each line begins
	for line, from := range starts(file) {
		s.lines, at = append(s.lines, line), append(at, from)
	}
	section, seen := "", map[string]bool{}
	toml := p.format == "toml"
	for i := 0; i < len(s.lines); i++ {
		text := strings.TrimSpace(s.lines[i])
		switch {
		case text == "" || text[0] == '#' || text[0] == ';' && !toml:
			continue
		case text[0] == '[':
			name, rest, ok := strings.Cut(text[1:], "]")
			if strings.HasPrefix(name, "[") && toml {
				name = fmt.Sprintf("[%s#%d", name, i) // one of a list of tables: its keys are never ours
				rest = strings.TrimPrefix(rest, "]")
			}
			if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' && rest[0] != ';' {
				return s, fmt.Errorf("line %d: %.60q is no section", i+1, text)
			}
			section = strings.TrimSpace(name)
			if toml {
				section = tomlName(section)
			}
			s.ends[section] = i + 1
			continue
		}
		name, rest, ok := strings.Cut(s.lines[i], "=")
		if !ok && !toml {
			name, rest = text, ""
		} else if !ok {
			return s, fmt.Errorf("line %d: %.60q is no key = value", i+1, text)
		}
		e := entry{section: section, name: strings.TrimSpace(name), from: i, to: i + 1}
		if toml {
			e.name = tomlName(e.name)
			n, err := e.scan(whole[at[i]+len(name)+1:])
			if err != nil {
				return s, fmt.Errorf("line %d: the value of %s: %w", i+1, e.name, err)
			}
			for end := at[i] + len(name) + 1 + n; e.to < len(at) && at[e.to] < end; e.to++ {
			}
			i = e.to - 1
		} else {
			e.value = strings.TrimSpace(rest)
		}
		id := section + "\x00" + e.name
		if seen[id] && (toml || p.keys[p.field(p.at(section, e.name))].path != nil) {
			return s, fmt.Errorf("line %d: the key %s stands twice in its section", i+1, e.name)
		}
		seen[id] = true
		s.entries = append(s.entries, e)
		s.ends[section] = e.to
	}
	return s, nil
}

// starts walks over the lines of a file and where each begins.
func starts(file []byte) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		from := 0
		for line := range bytes.Lines(file) {
			if !yield(string(line), from) {
				return
			}
			from += len(line)
		}
	}
}

// tomlName takes the quotes from a name.
func tomlName(s string) string {
	parts := strings.Split(s, ".")
	for i, x := range parts {
		parts[i] = strings.Trim(strings.TrimSpace(x), `"'`)
	}
	return strings.Join(parts, ".")
}

func (p Part) at(section, name string) []string {
	if section == "" {
		return []string{name}
	}
	if p.format == "ini" {
		return []string{section, name}
	}
	return append(strings.Split(section, "."), name)
}

var errOpen = errors.New("it has no end")

// scan takes one value of TOML from the text behind the sign to the end of the
// file, and returns how far it goes, the end of its line included: what remains
// of that may only be a comment. The value is kept in canonical spelling. Linear.
func (e *entry) scan(text string) (int, error) {
	var out []byte
	depth, i := 0, 0
	for i < len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\'':
			n, v, err := quoted(text[i:])
			if err != nil {
				return 0, err
			}
			s, _ := compactJSON(v)
			out = append(out, s...)
			i += n
			continue
		case c == '#':
			if depth == 0 {
				rest, _, _ := strings.Cut(text[i:], "\n")
				e.comment = strings.TrimRight(" "+rest, "\r\n")
				i += len(rest)
				continue
			}
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case c == '[' || c == '{':
			depth++
			out = append(out, c)
		case c == ']' || c == '}':
			if depth--; depth < 0 {
				return 0, errors.New("a bracket is closed that was not opened")
			}
			out = bytes.TrimSuffix(bytes.TrimRight(out, " "), []byte(","))
			out = append(out, c)
		case c == ',':
			out = append(out, ", "...)
		case c == '\n' && depth == 0:
			return i + 1, e.take(string(out))
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if depth == 0 && len(out) > 0 {
				out = append(out, ' ')
			}
		case c == '_' && depth >= 0 && i > 0 && text[i-1] >= '0' && text[i-1] <= '9':
		default:
			out = append(out, c)
		}
		i++
	}
	if depth > 0 {
		return 0, errOpen
	}
	return i, e.take(string(out))
}

func (e *entry) take(value string) error {
	if e.value = strings.TrimSpace(value); e.value == "" {
		return errors.New("there is none")
	}
	return nil
}

// quoted reads one string of TOML at the start of text: how long it is and what
// it says.
func quoted(text string) (int, string, error) {
	for _, q := range []string{`"""`, `'''`, `"`, `'`} {
		rest, ok := strings.CutPrefix(text, q)
		if !ok {
			continue
		}
		for i := 0; i < len(rest); i++ {
			if q[0] == '"' && rest[i] == '\\' {
				i++
				continue
			}
			if len(q) == 1 && rest[i] == '\n' {
				return 0, "", errors.New("a text ends with the line")
			}
			if strings.HasPrefix(rest[i:], q) {
				v := rest[:i]
				if len(q) == 3 {
					v = strings.TrimPrefix(v, "\n")
				}
				if q == `"` {
					if u, err := strconv.Unquote(`"` + v + `"`); err == nil {
						v = u
					}
				}
				return i + 2*len(q), v, nil
			}
		}
		return 0, "", errOpen
	}
	return 0, "", errOpen
}

func (p Part) readSections(file []byte) (map[string]string, error) {
	s, err := p.parseSections(file)
	if err != nil {
		return nil, fmt.Errorf("the file is not %s that can be edited: %w", strings.ToUpper(p.format), err)
	}
	out := map[string]string{}
	for _, e := range s.entries {
		if f := p.field(p.at(e.section, e.name)); p.keys[f].path != nil {
			out[f] = e.value
		}
	}
	return out, nil
}

func (p Part) editSections(file []byte, fields []string, absent bool) ([]byte, error) {
	for _, f := range fields { // one at a time, since each moves the lines behind it
		s, err := p.parseSections(file)
		if err != nil {
			return nil, fmt.Errorf("the file is not %s that can be edited: %w", strings.ToUpper(p.format), err)
		}
		file = []byte(strings.Join(p.put(s, p.keys[f].path, p.want[f], absent), ""))
	}
	return file, nil
}

func (p Part) put(s sectioned, path []string, value string, absent bool) []string {
	section, name := strings.Join(path[:len(path)-1], "."), path[len(path)-1]
	i := slices.IndexFunc(s.entries, func(e entry) bool { return e.section == section && e.name == name })
	if i >= 0 {
		e := s.entries[i]
		head, _, _ := strings.Cut(s.lines[e.from], "=")
		var with []string
		if !absent {
			space := ""
			if strings.HasSuffix(head, " ") {
				space = " "
			}
			with = []string{head + "=" + space + value + e.comment + "\n"}
		}
		return slices.Replace(s.lines, e.from, e.to, with...)
	}
	if absent {
		return s.lines
	}
	if n := len(s.lines); n > 0 && !strings.HasSuffix(s.lines[n-1], "\n") {
		s.lines[n-1] += "\n"
	}
	line := name + " = " + value + "\n"
	if p.format == "toml" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		line = strconv.Quote(name) + " = " + value + "\n"
	}
	if at, ok := s.ends[section]; ok {
		return slices.Insert(s.lines, at, line)
	}
	return append(s.lines, "["+section+"]\n", line)
}
