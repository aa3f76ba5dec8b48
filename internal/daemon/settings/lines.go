package settings

import (
	"fmt"
	"strings"
)

// index maps the dotted path of every key and table of a TOML text to its line.
// It reads only as much of the syntax as it needs to find keys; the text was
// read by the real parser before.
func index(text string) map[string]int {
	at := map[string]int{}
	counts := map[string]int{} // of arrays of tables
	prefix := ""
	open := "" // the quotes of a string that goes over lines
	depth := 0 // of brackets that go over lines
	for i, line := range strings.Split(text, "\n") {
		rest := strings.TrimSpace(line)
		if open == "" && depth == 0 {
			switch {
			case rest == "" || rest[0] == '#':
				continue
			case strings.HasPrefix(rest, "[["):
				name, _ := keyPath(rest[2:])
				name = indexed(name, counts)
				n := counts[name]
				counts[name]++
				prefix = fmt.Sprintf("%s[%d]", name, n)
				at[prefix] = i + 1
				continue
			case rest[0] == '[':
				name, _ := keyPath(rest[1:])
				prefix = indexed(name, counts)
				at[prefix] = i + 1
				continue
			}
			name, value := keyPath(rest)
			if name == "" {
				continue
			}
			full := name
			if prefix != "" {
				full = prefix + "." + name
			}
			at[full] = i + 1
			rest = strings.TrimPrefix(strings.TrimSpace(value), "=")
		}
		open, depth = state(rest, open, depth)
	}
	return at
}

// keyPath reads a dotted key, quoted parts included, and returns what follows.
func keyPath(s string) (name, rest string) {
	var parts []string
	for {
		s = strings.TrimLeft(s, " \t")
		var part string
		switch {
		case s == "":
			return strings.Join(parts, "."), ""
		case s[0] == '"' || s[0] == '\'':
			end := strings.IndexByte(s[1:], s[0])
			if end < 0 {
				return strings.Join(parts, "."), ""
			}
			part, s = s[1:1+end], s[end+2:]
		default:
			end := strings.IndexAny(s, " \t.=]")
			if end < 0 {
				end = len(s)
			}
			part, s = s[:end], s[end:]
		}
		parts = append(parts, part)
		s = strings.TrimLeft(s, " \t")
		if !strings.HasPrefix(s, ".") {
			return strings.Join(parts, "."), s
		}
		s = s[1:]
	}
}

// indexed puts the newest index into the parts of a path that are arrays of
// tables: process.limits becomes process[1].limits.
func indexed(name string, counts map[string]int) string {
	parts := strings.Split(name, ".")
	for i := range len(parts) - 1 {
		if n := counts[strings.Join(parts[:i+1], ".")]; n > 0 {
			parts[i] = fmt.Sprintf("%s[%d]", parts[i], n-1)
		}
	}
	return strings.Join(parts, ".")
}

// state follows strings and brackets over the rest of a line.
func state(s, open string, depth int) (string, int) {
	for i := 0; i < len(s); i++ {
		if open != "" {
			if s[i] == '\\' && open[0] == '"' {
				i++
			} else if strings.HasPrefix(s[i:], open) {
				i += len(open) - 1
				open = ""
			}
			continue
		}
		switch s[i] {
		case '#':
			return open, depth
		case '"', '\'':
			open = s[i : i+1]
			if triple := strings.Repeat(open, 3); strings.HasPrefix(s[i:], triple) {
				open = triple
				i += 2
			}
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	if len(open) == 1 {
		open = "" // a plain string ends with its line
	}
	return open, depth
}

// place is file:line of a path, or of its nearest ancestor that has a line.
func place(file string, lines map[string]int, path string) string {
	for p := path; p != ""; {
		if n, ok := lines[p]; ok {
			return fmt.Sprintf("%s:%d", file, n)
		}
		cut := strings.LastIndexAny(p, ".[")
		if cut < 0 {
			break
		}
		p = p[:cut]
	}
	return file
}

// Place is file:line where a dotted path stands in a TOML text, or where its
// nearest ancestor does, or just the file.
func Place(file string, text []byte, path string) string {
	return place(file, index(string(text)), path)
}
