package wire

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"vigil/gitwatch/objects"
)

// The bands of side-band-64k.
const (
	bandData  = 1
	bandSay   = 2
	bandFatal = 3
)

// idle is how long the wire may be silent while something is waited for; a
// proxy, or a person, would take a longer silence for the end.
const idle = 5 * time.Second

// Bands writes an answer in several bands, or plainly when the client cannot
// tell them apart. It is safe for concurrent use.
type Bands struct {
	mu    sync.Mutex
	w     io.Writer
	flush func() error
	size  int // bytes of a packet's payload; 0 is no bands at all
	data  int64
	err   error
}

// NewBands writes to w, in packets of at most size bytes; 0 is without bands.
func NewBands(w http.ResponseWriter, size int) *Bands {
	return &Bands{w: w, flush: http.NewResponseController(w).Flush, size: size}
}

// Write sends bytes on the data band.
func (b *Bands) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data += int64(len(p))
	return len(p), b.send(bandData, p)
}

// Sent is the bytes on the data band.
func (b *Bands) Sent() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data
}

func (b *Bands) send(band byte, p []byte) error {
	if b.err != nil {
		return b.err
	}
	if b.size == 0 {
		if band == bandData {
			_, b.err = b.w.Write(p)
		}
		return b.err
	}
	for len(p) > 0 && b.err == nil {
		n := min(len(p), b.size)
		if _, b.err = fmt.Fprintf(b.w, "%04x%c", n+5, band); b.err == nil {
			_, b.err = b.w.Write(p[:n])
		}
		p = p[n:]
	}
	return b.err
}

// Say shows the person who waits one line, at once. Control characters are
// taken out: what is said may come from a repository.
func (b *Bands) Say(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for part := range strings.SplitSeq(strings.TrimRight(line, "\n"), "\n") {
		b.send(bandSay, []byte(objects.Printable(part, 1000)+"\n"))
	}
	if b.err == nil && b.size > 0 {
		b.err = b.flush()
	}
}

// Fatal ends the client with a message.
func (b *Bands) Fatal(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.send(bandFatal, []byte(objects.Printable(line, 1000)+"\n"))
}

// Close ends the answer.
func (b *Bands) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && b.size > 0 {
		b.err = WriteFlush(b.w)
	}
	return b.err
}

// Alive sends an empty packet every idle until the returned function is called,
// which waits for the last one.
func (b *Bands) Alive() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(idle)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				b.mu.Lock()
				if b.err == nil && b.size > 0 {
					if _, b.err = fmt.Fprintf(b.w, "0005%c", bandSay); b.err == nil {
						b.err = b.flush()
					}
				}
				b.mu.Unlock()
			}
		}
	}()
	return func() { close(done); <-ended }
}
