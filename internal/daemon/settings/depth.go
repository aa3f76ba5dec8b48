package settings

import "strings"

// tooDeep finds the first place, counted in lines from 1, at which TOML text nests
// deeper than max: brackets within brackets, or a key of more dotted parts. It is
// asked before the parser is, whose own recursion has no bound. Zero: nowhere.
func tooDeep(text string, max int) (line int) {
	line = 1
	depth, parts := 0, 1
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '\n':
			line++
			parts = 1
		case '#':
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return 0
			}
			i += n
			continue
		case '"', '\'':
			n := quoted(text[i:], c)
			line += strings.Count(text[i:i+n], "\n")
			i += n
			continue
		case '[', '{':
			depth, parts = depth+1, 1
		case ']', '}':
			depth = depth - 1
		case '=', ',':
			parts = 1
		case '.':
			parts++
		}
		if depth > max || parts > max {
			return line
		}
		i++
	}
	return 0
}

// quoted is the length of the string that text begins with, up to the text's end
// where it has none; what is wrong with it is the parser's to say.
func quoted(text string, quote byte) int {
	end := string(quote)
	if triple := strings.Repeat(end, 3); strings.HasPrefix(text, triple) {
		end = triple
	}
	for i := len(end); i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == '\n' && len(end) == 1:
			return i // not closed: the parser will say so
		case strings.HasPrefix(text[i:], end):
			return i + len(end)
		}
	}
	return len(text)
}
