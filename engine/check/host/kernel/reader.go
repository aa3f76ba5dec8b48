// Package kernel reads the files in which the kernel tells how it is, and keeps
// the label sets that are made of them: what all areas of the host collector
// share.
//
// A [Reader] reads into one buffer, which the next read overwrites; words and
// numbers are cut from it without a copy. A [Vec] makes a label set once. All
// caches are bounded. Nothing here is safe for concurrent use.
package kernel

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// maxFile bounds what is read of one file of /proc or /sys.
const maxFile = 4 << 20

// Reader reads small files whole into one buffer, which the next read
// overwrites. os.ReadFile would make a file object, a poller registration and
// a new buffer each time, several hundred times a round.
type Reader struct{ buf []byte }

// NewReader makes a reader with a buffer that holds most files at once.
func NewReader() *Reader { return &Reader{buf: make([]byte, 16<<10)} }

// Read returns the file's content, good until the next Read.
func (r *Reader) Read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	n := 0
	for {
		if n == len(r.buf) {
			if n >= maxFile {
				return nil, fmt.Errorf("read %s: more than %d bytes", path, maxFile)
			}
			r.buf = append(r.buf, make([]byte, max(n, 4096))...)
		}
		m, err := unix.Read(fd, r.buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if m <= 0 {
			return r.buf[:n], nil
		}
		n += m
	}
}

// Line cuts the first line off.
func Line(b []byte) (first, rest []byte) {
	for i, c := range b {
		if c == '\n' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// Field cuts the first blank-separated word off; it is empty at the end.
func Field(b []byte) (word, rest []byte) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n') {
		i++
	}
	j := i
	for j < len(b) && b[j] != ' ' && b[j] != '\t' && b[j] != '\n' {
		j++
	}
	return b[i:j], b[j:]
}

// Number reads a decimal as the kernel writes them, and says whether it is one.
func Number(b []byte) (float64, bool) {
	neg := false
	if len(b) > 0 && b[0] == '-' {
		neg, b = true, b[1:]
	}
	if len(b) == 0 {
		return math.NaN(), false
	}
	var whole, frac uint64
	scale := 1.0
	dot := false
	for _, c := range b {
		switch {
		case c == '.' && !dot:
			dot = true
		case c < '0' || c > '9':
			return math.NaN(), false
		case dot && scale < 1e15:
			frac, scale = frac*10+uint64(c-'0'), scale*10
		case !dot:
			whole = whole*10 + uint64(c-'0')
		}
	}
	v := float64(whole) + float64(frac)/scale
	if neg {
		v = -v
	}
	return v, true
}

// Next cuts off the first word as a number.
func Next(b []byte) (v float64, rest []byte, ok bool) {
	w, rest := Field(b)
	v, ok = Number(w)
	return v, rest, ok
}
