package ingest

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON may nest, in what is ignored too.
const maxDepth = 32

// scanner walks one JSON text (RFC 8259) without building it. Strings without
// escapes alias the text; others are unescaped into the arena. The literals
// NaN, Infinity and -Infinity are read as the original's parser read them.
type scanner struct {
	src   []byte
	pos   int
	arena *[]byte
	err   string // first fault, at pos
}

// kind is what a value is, told by its first byte.
type kind uint8

const (
	kindNone kind = iota
	kindObject
	kindArray
	kindString
	kindNumber
	kindBool
	kindNull
)

func (s *scanner) fail(msg string) bool {
	if s.err == "" {
		s.err = msg
	}
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek skips space and says what comes next.
func (s *scanner) peek() kind {
	s.space()
	if s.pos == len(s.src) {
		return kindNone
	}
	switch c := s.src[s.pos]; {
	case c == '{':
		return kindObject
	case c == '[':
		return kindArray
	case c == '"':
		return kindString
	case c == 't' || c == 'f':
		return kindBool
	case c == 'n':
		return kindNull
	case c == '-' || c == 'N' || c == 'I' || '0' <= c && c <= '9':
		return kindNumber
	}
	return kindNone
}

// next is for the members of an object or array: whether another follows. open
// says that none was read yet. It consumes the comma or the closing byte.
func (s *scanner) next(end byte, open bool) bool {
	s.space()
	if s.pos == len(s.src) {
		return s.fail("the text ends inside a value")
	}
	switch c := s.src[s.pos]; {
	case c == end:
		s.pos++
		return false
	case open:
		return true
	case c == ',':
		s.pos++
		s.space()
		if s.pos < len(s.src) && s.src[s.pos] == end {
			return s.fail("a comma with nothing after it")
		}
		return true
	}
	return s.fail("expected ',' or '" + string(end) + "'")
}

// key reads a member's name and its colon.
func (s *scanner) key() ([]byte, bool) {
	if s.peek() != kindString {
		return nil, s.fail("expected a name in double quotes")
	}
	k, ok := s.text()
	if !ok {
		return nil, false
	}
	s.space()
	if s.pos == len(s.src) || s.src[s.pos] != ':' {
		return nil, s.fail("expected ':'")
	}
	s.pos++
	return k, true
}

// text reads a string.
func (s *scanner) text() ([]byte, bool) {
	s.pos++ // the quote
	from := s.pos
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '"':
			out := s.src[from:s.pos:s.pos]
			s.pos++
			return out, true
		case c == '\\':
			return s.escaped(from)
		case c < 0x20:
			return nil, s.fail("a control character in a string")
		}
		s.pos++
	}
	return nil, s.fail("a string without its end")
}

// escaped goes on with a string that has escapes, in the arena. A surrogate
// without its pair becomes U+FFFD.
func (s *scanner) escaped(from int) ([]byte, bool) {
	a := *s.arena
	at := len(a)
	a = append(a, s.src[from:s.pos]...)
	defer func() { *s.arena = a }()
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case c == '"':
			s.pos++
			return a[at:len(a):len(a)], true
		case c < 0x20:
			return nil, s.fail("a control character in a string")
		case c != '\\':
			a = append(a, c)
			s.pos++
			continue
		}
		if s.pos+1 >= len(s.src) {
			break
		}
		s.pos += 2
		switch e := s.src[s.pos-1]; e {
		case '"', '\\', '/':
			a = append(a, e)
		case 'b':
			a = append(a, '\b')
		case 'f':
			a = append(a, '\f')
		case 'n':
			a = append(a, '\n')
		case 'r':
			a = append(a, '\r')
		case 't':
			a = append(a, '\t')
		case 'u':
			r, ok := s.hex4(s.pos)
			if !ok {
				return nil, s.fail(`\u needs four hexadecimal digits`)
			}
			s.pos += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if s.pos+1 < len(s.src) && s.src[s.pos] == '\\' && s.src[s.pos+1] == 'u' {
					low, ok = s.hex4(s.pos + 2)
				}
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					r, s.pos = pair, s.pos+6
				} else {
					r = utf8.RuneError
				}
			}
			a = utf8.AppendRune(a, r)
		default:
			return nil, s.fail("an escape that JSON does not have")
		}
	}
	return nil, s.fail("a string without its end")
}

func (s *scanner) hex4(at int) (r rune, ok bool) {
	if at+4 > len(s.src) {
		return 0, false
	}
	for _, c := range s.src[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number reads a number; one too large for a float64 is an infinity.
func (s *scanner) number() (float64, bool) {
	t, ok := s.digits()
	if !ok {
		return 0, false
	}
	v, _ := strconv.ParseFloat(string(t), 64) // out of range gives ±Inf, as asked
	return v, true
}

// digits passes over a number and returns its text.
func (s *scanner) digits() ([]byte, bool) {
	from := s.pos
	for s.pos < len(s.src) && numeric[s.src[s.pos]] {
		s.pos++
	}
	t := s.src[from:s.pos]
	if !wellFormed(t) {
		switch string(t) {
		case "NaN", "Infinity", "-Infinity":
		default:
			s.pos = from
			return nil, s.fail("expected a value")
		}
	}
	return t, true
}

// numeric is every byte that numbers and the three literals are made of.
var numeric = func() (t [256]bool) {
	for _, c := range "0123456789+-.eENaInfity" {
		t[c] = true
	}
	return t
}()

// wellFormed is JSON's grammar of numbers.
func wellFormed(t []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(t) && '0' <= t[i] && t[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(t) && t[i] == '-' {
		i++
	}
	from := i
	if !digits() || t[from] == '0' && i-from > 1 {
		return false
	}
	if i < len(t) && t[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(t) && (t[i] == 'e' || t[i] == 'E') {
		if i++; i < len(t) && (t[i] == '+' || t[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(t)
}

// word reads true, false or null; the value is that of true.
func (s *scanner) word() (value, ok bool) {
	for _, w := range [...]string{"true", "false", "null"} {
		if end := s.pos + len(w); end <= len(s.src) && string(s.src[s.pos:end]) == w {
			s.pos = end
			return w == "true", true
		}
	}
	return false, s.fail("expected a value")
}

// skip passes over one value of any kind, at the given depth.
func (s *scanner) skip(depth int) bool {
	switch k := s.peek(); k {
	case kindObject, kindArray:
		if depth >= maxDepth {
			return s.fail("nested over 32 levels deep")
		}
		end := byte('}')
		if k == kindArray {
			end = ']'
		}
		s.pos++
		for open := true; s.next(end, open); open = false {
			if k == kindObject {
				if _, ok := s.key(); !ok {
					return false
				}
			}
			if !s.skip(depth + 1) {
				return false
			}
		}
		return s.err == ""
	case kindString:
		_, ok := s.text()
		return ok
	case kindNumber:
		_, ok := s.digits()
		return ok
	case kindBool, kindNull:
		_, ok := s.word()
		return ok
	default:
		return s.fail("expected a value")
	}
}
