// Package scan walks JSON without building it: a cursor over the bytes, for
// decoders that know what they look for.
//
// It refuses nesting beyond 32 levels and whatever RFC 8259 does not have, but
// for the literals NaN, Infinity and -Infinity, which the original's parser
// took. It allocates nothing of its own. A Scanner belongs to one goroutine.
package scan

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep JSON may nest, in what is ignored too.
const MaxDepth = 32

// Scanner walks one JSON text (RFC 8259) without building it. Strings without
// escapes alias the text; others are unescaped into the arena. The literals
// NaN, Infinity and -Infinity are read as the original's parser read them.
type Scanner struct {
	Src   []byte
	Pos   int
	Arena *[]byte
	Err   string // first fault, at Pos
}

// Kind is what a value is, told by its first byte.
type Kind uint8

const (
	None Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

func (s *Scanner) Fail(msg string) bool {
	if s.Err == "" {
		s.Err = msg
	}
	return false
}

// Space passes over blanks.
func (s *Scanner) Space() {
	if s.Pos < len(s.Src) && s.Src[s.Pos] > ' ' { // nearly always
		return
	}
	s.spaces()
}

func (s *Scanner) spaces() {
	for s.Pos < len(s.Src) {
		switch s.Src[s.Pos] {
		case ' ', '\t', '\n', '\r':
			s.Pos++
		default:
			return
		}
	}
}

// Peek skips space and says what comes next.
func (s *Scanner) Peek() Kind {
	s.Space()
	if s.Pos == len(s.Src) {
		return None
	}
	switch c := s.Src[s.Pos]; {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	case c == '-' || c == 'N' || c == 'I' || '0' <= c && c <= '9':
		return Number
	}
	return None
}

// Next is for the members of an object or array: whether another follows. open
// says that none was read yet. It consumes the comma or the closing byte.
func (s *Scanner) Next(end byte, open bool) bool {
	s.Space()
	if s.Pos == len(s.Src) {
		return s.Fail("the text ends inside a value")
	}
	switch c := s.Src[s.Pos]; {
	case c == end:
		s.Pos++
		return false
	case open:
		return true
	case c == ',':
		s.Pos++
		s.Space()
		if s.Pos < len(s.Src) && s.Src[s.Pos] == end {
			return s.Fail("a comma with nothing after it")
		}
		return true
	}
	return s.Fail("expected ',' or '" + string(end) + "'")
}

// Key reads a member's name and its colon.
func (s *Scanner) Key() ([]byte, bool) {
	if s.Peek() != String {
		return nil, s.Fail("expected a name in double quotes")
	}
	k, ok := s.Text()
	if !ok {
		return nil, false
	}
	s.Space()
	if s.Pos == len(s.Src) || s.Src[s.Pos] != ':' {
		return nil, s.Fail("expected ':'")
	}
	s.Pos++
	return k, true
}

// Text reads a string.
func (s *Scanner) Text() ([]byte, bool) {
	s.Pos++ // the quote
	from := s.Pos
	for s.Pos < len(s.Src) {
		switch c := s.Src[s.Pos]; {
		case c == '"':
			out := s.Src[from:s.Pos:s.Pos]
			s.Pos++
			return out, true
		case c == '\\':
			return s.escaped(from)
		case c < 0x20:
			return nil, s.Fail("a control character in a string")
		}
		s.Pos++
	}
	return nil, s.Fail("a string without its end")
}

// escaped goes on with a string that has escapes, in the arena. A surrogate
// without its pair becomes U+FFFD.
func (s *Scanner) escaped(from int) ([]byte, bool) {
	a := *s.Arena
	at := len(a)
	a = append(a, s.Src[from:s.Pos]...)
	defer func() { *s.Arena = a }()
	for s.Pos < len(s.Src) {
		c := s.Src[s.Pos]
		switch {
		case c == '"':
			s.Pos++
			return a[at:len(a):len(a)], true
		case c < 0x20:
			return nil, s.Fail("a control character in a string")
		case c != '\\':
			a = append(a, c)
			s.Pos++
			continue
		}
		if s.Pos+1 >= len(s.Src) {
			break
		}
		s.Pos += 2
		switch e := s.Src[s.Pos-1]; e {
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
			r, ok := s.hex4(s.Pos)
			if !ok {
				return nil, s.Fail(`\u needs four hexadecimal digits`)
			}
			s.Pos += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if s.Pos+1 < len(s.Src) && s.Src[s.Pos] == '\\' && s.Src[s.Pos+1] == 'u' {
					low, ok = s.hex4(s.Pos + 2)
				}
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					r, s.Pos = pair, s.Pos+6
				} else {
					r = utf8.RuneError
				}
			}
			a = utf8.AppendRune(a, r)
		default:
			return nil, s.Fail("an escape that JSON does not have")
		}
	}
	return nil, s.Fail("a string without its end")
}

func (s *Scanner) hex4(at int) (r rune, ok bool) {
	if at+4 > len(s.Src) {
		return 0, false
	}
	for _, c := range s.Src[at : at+4] {
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

// Number reads a number; one too large for a float64 is an infinity.
func (s *Scanner) Number() (float64, bool) {
	t, ok := s.digits()
	if !ok {
		return 0, false
	}
	v, _ := strconv.ParseFloat(string(t), 64) // out of range gives ±Inf, as asked
	return v, true
}

// digits passes over a number and returns its text.
func (s *Scanner) digits() ([]byte, bool) {
	from := s.Pos
	for s.Pos < len(s.Src) && numeric[s.Src[s.Pos]] {
		s.Pos++
	}
	t := s.Src[from:s.Pos]
	if !wellFormed(t) {
		switch string(t) {
		case "NaN", "Infinity", "-Infinity":
		default:
			s.Pos = from
			return nil, s.Fail("expected a value")
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

// Word reads true, false or null; the value is that of true.
func (s *Scanner) Word() (value, ok bool) {
	for _, w := range [...]string{"true", "false", "null"} {
		if end := s.Pos + len(w); end <= len(s.Src) && string(s.Src[s.Pos:end]) == w {
			s.Pos = end
			return w == "true", true
		}
	}
	return false, s.Fail("expected a value")
}

// Pass passes over one value of any kind, at the given depth.
func (s *Scanner) Pass(depth int) bool {
	switch k := s.Peek(); k {
	case Object, Array:
		if depth >= MaxDepth {
			return s.Fail("nested over 32 levels deep")
		}
		end := byte('}')
		if k == Array {
			end = ']'
		}
		s.Pos++
		for open := true; s.Next(end, open); open = false {
			if k == Object {
				if _, ok := s.Key(); !ok {
					return false
				}
			}
			if !s.Pass(depth + 1) {
				return false
			}
		}
		return s.Err == ""
	case String:
		_, ok := s.Text()
		return ok
	case Number:
		_, ok := s.digits()
		return ok
	case Bool, Null:
		_, ok := s.Word()
		return ok
	default:
		return s.Fail("expected a value")
	}
}

// End says that nothing but space is left.
func (s *Scanner) End() bool {
	if s.Space(); s.Pos < len(s.Src) {
		return s.Fail("more after the end of the value")
	}
	return true
}
