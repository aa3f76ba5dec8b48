package session

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// unseen says that a rune shows nothing of its own on a terminal but changes what
// is shown: control bytes, what turns the direction of a line around, what has
// no width, and the line ends of Unicode.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Escaped writes JSON that was encoded by others so that a terminal may show it:
// whatever is unseen beyond ASCII becomes the \u escape of the same text, so a
// program that reads it reads no difference. What JSON itself escapes or means
// (control bytes below the space) is left as it is. For one goroutine.
type Escaped struct {
	To   io.Writer
	rest []byte // the beginning of a rune whose end is in the next Write
}

// Write writes p, but for a rune that is cut off at its end.
func (e *Escaped) Write(p []byte) (int, error) {
	in := append(e.rest, p...)
	out := make([]byte, 0, len(in))
	i := 0
	for i < len(in) && utf8.FullRune(in[i:]) {
		r, size := utf8.DecodeRune(in[i:])
		if r >= 0x7f && unseen(r) {
			out = escape(out, r)
		} else {
			out = append(out, in[i:i+size]...)
		}
		i += size
	}
	e.rest = append([]byte(nil), in[i:]...)
	if _, err := e.To.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escape appends a rune as JSON escapes it, beyond the first plane as a pair.
func escape(out []byte, r rune) []byte {
	if r < 0x10000 {
		return fmt.Appendf(out, "\\u%04x", r)
	}
	r -= 0x10000
	return fmt.Appendf(out, "\\u%04x\\u%04x", 0xd800+r>>10, 0xdc00+r&0x3ff)
}
