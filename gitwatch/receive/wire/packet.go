// Package wire is the framing of git's protocols: packet lines, and the bands in
// which data, words for a person and a fatal error share one answer.
//
// It refuses packets that are longer than the protocol has them, and knows nothing
// of what stands in them.
// Invariants: what is read is what was written; text for a person has no control
// characters in it.
//
// [Bands.Alive] runs a goroutine until the function that it returned is called.
package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Kind is what a packet is: data, or one of the three that have a length below 4.
type Kind int

// The kinds.
const (
	Data  Kind = iota
	Flush      // the end of a list
	Delim      // between two parts of a request
	End        // of an answer
)

// MaxPacket is the largest packet with its four digits, as gitprotocol-common(5)
// has it; MaxData is what fits beside the digits and the band.
const (
	MaxPacket = 65520
	MaxData   = MaxPacket - 5
)

var errPacket = errors.New("a broken packet line")

// ReadPacket reads one packet. The bytes stay valid until the next call with
// the same buffer. io.EOF only between two packets.
func ReadPacket(r *bufio.Reader, buf *[]byte) (Kind, []byte, error) {
	var head [4]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n > 0 {
			return Data, nil, errPacket
		}
		return Data, nil, err
	}
	n := 0
	for _, c := range head {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return Data, nil, errPacket
		}
	}
	switch {
	case n == 0:
		return Flush, nil, nil
	case n == 1:
		return Delim, nil, nil
	case n == 2:
		return End, nil, nil
	case n == 3 || n > MaxPacket:
		return Data, nil, errPacket
	}
	if n -= 4; cap(*buf) < n {
		*buf = make([]byte, max(n, 1024))
	}
	b := (*buf)[:n]
	if _, err := io.ReadFull(r, b); err != nil {
		return Data, nil, errPacket
	}
	return Data, b, nil
}

// WritePacket writes one data packet of at most MaxPacket-4 bytes.
func WritePacket(w io.Writer, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if len(text) > MaxPacket-4 {
		text = text[:MaxPacket-4]
	}
	_, err := fmt.Fprintf(w, "%04x%s", len(text)+4, text)
	return err
}

// WriteFlush writes a flush packet.
func WriteFlush(w io.Writer) error { _, err := io.WriteString(w, "0000"); return err }

// WriteDelim writes a delimiter.
func WriteDelim(w io.Writer) error { _, err := io.WriteString(w, "0001"); return err }
