package receive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Packet kinds: data, and the three that have a length below 4.
type packet int

const (
	data packet = iota
	flush
	delim
	end
)

// maxPacket is the largest packet with its four digits, as gitprotocol-common(5)
// has it; maxData is what fits beside the digits and the band.
const (
	maxPacket = 65520
	maxData   = maxPacket - 5
)

var errPacket = errors.New("a broken packet line")

// readPacket reads one packet. The bytes stay valid until the next call with
// the same buffer. io.EOF only between two packets.
func readPacket(r *bufio.Reader, buf *[]byte) (packet, []byte, error) {
	var head [4]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n > 0 {
			return data, nil, errPacket
		}
		return data, nil, err
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
			return data, nil, errPacket
		}
	}
	switch {
	case n == 0:
		return flush, nil, nil
	case n == 1:
		return delim, nil, nil
	case n == 2:
		return end, nil, nil
	case n == 3 || n > maxPacket:
		return data, nil, errPacket
	}
	if n -= 4; cap(*buf) < n {
		*buf = make([]byte, max(n, 1024))
	}
	b := (*buf)[:n]
	if _, err := io.ReadFull(r, b); err != nil {
		return data, nil, errPacket
	}
	return data, b, nil
}

// writePacket writes one data packet of at most maxPacket-4 bytes.
func writePacket(w io.Writer, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxPacket-4 {
		text = text[:maxPacket-4]
	}
	_, err := fmt.Fprintf(w, "%04x%s", len(text)+4, text)
	return err
}

func writeFlush(w io.Writer) error { _, err := io.WriteString(w, "0000"); return err }

func writeDelim(w io.Writer) error { _, err := io.WriteString(w, "0001"); return err }
