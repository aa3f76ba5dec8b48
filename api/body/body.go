// Package body is what is refused of a JSON body before it is read: too much
// depth, and a key that stands twice. It holds no state and does no I/O.
package body

// maxDepth is how deep JSON may nest.
const maxDepth = 32

// TooDeep finds the first bracket beyond maxDepth.
func TooDeep(data []byte) (at int, ok bool) {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i, false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return 0, true
}
