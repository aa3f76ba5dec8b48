package launch

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ends keeps the first and the last bytes of a stream in bounded memory, and
// counts the rest. Writing never fails, so a program that prints without end is
// neither blocked nor able to fill memory.
type ends struct {
	half int
	head []byte
	tail []byte // a ring once it is full
	at   int    // where the ring's oldest byte is
	all  int64
}

func newEnds(limit int) *ends { return &ends{half: max(limit/2, 1)} }

func (e *ends) Write(b []byte) (int, error) {
	n := len(b)
	e.all += int64(n)
	if room := e.half - len(e.head); room > 0 {
		k := min(room, len(b))
		e.head = append(e.head, b[:k]...)
		b = b[k:]
	}
	if len(b) > e.half {
		b = b[len(b)-e.half:]
	}
	if room := e.half - len(e.tail); room > 0 {
		k := min(room, len(b))
		e.tail = append(e.tail, b[:k]...)
		b = b[k:]
	}
	for len(b) > 0 {
		k := copy(e.tail[e.at:], b)
		e.at = (e.at + k) % e.half
		b = b[k:]
	}
	return n, nil
}

// text is what is kept, clean, in at most limit bytes; what was left out is said.
func (e *ends) text(limit int) string {
	tail := append(append(make([]byte, 0, len(e.tail)), e.tail[e.at:]...), e.tail[:e.at]...)
	lost := e.all - int64(len(e.head)) - int64(len(tail))
	if lost == 0 {
		if s := Clean(append(append(make([]byte, 0, len(e.head)+len(tail)), e.head...), tail...)); len(s) <= limit {
			return s
		}
	}
	gap := fmt.Sprintf("\n[... %d bytes in all, shortened ...]\n", e.all)
	side := max((limit-len(gap))/2, 0)
	return cutEnd(Clean(e.head), side) + gap + cutStart(Clean(tail), side)
}

func cutEnd(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func cutStart(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := len(s) - n
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return s[i:]
}

// Clean makes any bytes fit for a ledger, a log and a terminal: valid UTF-8, in
// which every control character but newline and tab, every character that turns
// the direction of writing, and every broken byte is escaped as \xNN or \u{NN}.
func Clean(b []byte) string {
	plain := true
	for _, c := range b {
		if c >= utf8.RuneSelf || (c < ' ' && c != '\n' && c != '\t') || c == 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return string(b)
	}
	var s strings.Builder
	s.Grow(len(b) + len(b)/8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&s, `\x%02x`, b[0])
		case r == '\r' && len(b) > 1 && b[1] == '\n': // a line end of another world
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f:
			fmt.Fprintf(&s, `\x%02x`, r)
		case r >= 0x80 && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			fmt.Fprintf(&s, `\u{%x}`, r)
		default:
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}

// drain copies r into e until the end, an error or a deadline on r.
func drain(e *ends, r io.Reader) {
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		_, _ = e.Write(buf[:n])
		if err != nil {
			return
		}
	}
}
