package ingest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"

	"vigil/engine/fault"
	"vigil/engine/series"
)

// request is the memory of one request, reused.
type request struct {
	body    []byte // as sent
	decoded []byte // after decompression
	arena   []byte // label keys that had to be built, unescaped strings
	batch   series.Batch
	bad     []bad // items that could not be read
	out     []byte
	gz      *gzip.Reader
	held    int64 // of Handler.inflight
	parsed  int64 // of held, what the items cost
}

// kept is the most memory one buffer may keep in the pool: a rare giant must
// not stay for ever.
const kept = 2 << 20

func (h *Handler) take() *request { return h.pool.Get().(*request) }

func (h *Handler) give(q *request) {
	h.inflight.Add(-q.held)
	q.held, q.parsed = 0, 0
	if cap(q.body) > kept || cap(q.decoded) > 2*kept || cap(q.arena) > kept || cap(q.batch.Points) > kept/16 || cap(q.batch.Items) > kept/64 {
		return
	}
	clear(q.batch.Items) // keys alias buffers; do not hold them from the pool
	clear(q.bad)
	q.body, q.decoded, q.arena, q.bad, q.out = q.body[:0], q.decoded[:0], q.arena[:0], q.bad[:0], q.out[:0]
	q.batch.Reset()
	h.pool.Put(q)
}

// hold reserves n more bytes for q, or says that too much is in flight.
func (h *Handler) hold(q *request, n int64) error {
	if q.held+n > h.cfg.MaxInFlight { // it would be so however often it came
		return fault.New(fault.TooLarge, "the request takes over %d bytes to read", h.cfg.MaxInFlight).Mend("send smaller batches")
	}
	if h.inflight.Add(n) > h.cfg.MaxInFlight {
		h.inflight.Add(-n)
		return fault.New(fault.Exhausted, "too many bytes of samples are being read at once").After(time.Second)
	}
	q.held += n
	return nil
}

// What one item that was read costs while it waits, and one that could not be.
const (
	itemBytes = 64 + pointBytes
	badBytes  = 160
)

// account reserves what the items have come to cost: a text of a few bytes each
// makes many times as much of them.
func (h *Handler) account(q *request) error {
	now := int64(len(q.batch.Items))*itemBytes + int64(len(q.arena)) + int64(len(q.bad))*badBytes
	now += now / 4 // the slices grow by that much
	if now <= q.parsed {
		return nil
	}
	if err := h.hold(q, now-q.parsed); err != nil {
		return err
	}
	q.parsed = now
	return nil
}

// read fills q.body. Memory follows what arrived, never what was declared.
func (h *Handler) read(q *request, r *http.Request) error {
	limit := h.cfg.MaxBody
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	first := r.ContentLength
	if first < 0 || first > 64<<10 {
		first = 64 << 10
	}
	var held int64
	var err error
	if q.body, held, err = h.more(q, q.body, 0, first+1); err != nil {
		return err
	}
	for {
		if int64(len(q.body)) == held {
			if q.body, held, err = h.more(q, q.body, held, min(2*held, limit+1)); err != nil {
				return err
			}
		}
		n, err := r.Body.Read(q.body[len(q.body):held])
		q.body = q.body[:len(q.body)+n]
		if int64(len(q.body)) > limit {
			return tooLarge(limit)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readError(err)
		}
	}
}

// more makes room in b for want bytes in all, of which held are reserved. The
// reservation comes first: what is refused was never allocated.
func (h *Handler) more(q *request, b []byte, held, want int64) ([]byte, int64, error) {
	if err := h.hold(q, want-held); err != nil {
		return b, held, err
	}
	if int64(cap(b)) < want {
		b = append(make([]byte, 0, want), b...)
	}
	return b, want, nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "the body is over %d bytes", limit).Mend("send smaller batches")
}

// readError names why a body could not be read.
func readError(err error) error {
	var ne net.Error
	var mb *http.MaxBytesError
	switch {
	case errors.As(err, &mb):
		return tooLarge(mb.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return fault.New(fault.Timeout, "the body did not arrive in time")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "the body ends before its declared length")
	}
	return fault.New(fault.Cancelled, "the body could not be read to its end")
}

// snappyRatio is above what the format can reach: its densest element makes 64
// bytes of 3. A body that declares more is a lie, told before it costs memory.
const snappyRatio = 22

// unsnappy decodes q.body, a snappy block, into q.decoded.
func (h *Handler) unsnappy(q *request) error {
	n, err := snappy.DecodedLen(q.body)
	if err != nil {
		return fault.New(fault.Invalid, "the body is not a snappy block")
	}
	if int64(n) > h.cfg.MaxDecoded {
		return fault.New(fault.TooLarge, "the body declares %d bytes decoded, over the cap of %d", n, h.cfg.MaxDecoded).Mend("send smaller batches")
	}
	if n > len(q.body)*snappyRatio {
		return fault.New(fault.Invalid, "the body declares %d bytes decoded, more than a snappy block of %d bytes can hold", n, len(q.body))
	}
	if err := h.hold(q, int64(n)); err != nil {
		return err
	}
	if cap(q.decoded) < n {
		q.decoded = make([]byte, n)
	}
	q.decoded, err = snappy.Decode(q.decoded[:cap(q.decoded)], q.body)
	if err != nil {
		return fault.New(fault.Invalid, "the body is not a snappy block: it is damaged")
	}
	return nil
}

// gzipRatio is what samples never reach; it is looked at beyond the first
// megabyte, where a bomb begins to matter.
const (
	gzipRatio = 100
	gzipFree  = 1 << 20
)

// gunzip decodes q.body into q.decoded, at most MaxDecoded bytes.
func (h *Handler) gunzip(q *request) error {
	src := bytes.NewReader(q.body)
	if q.gz == nil {
		gz, err := gzip.NewReader(src)
		if err != nil {
			return fault.New(fault.Invalid, "the body is not gzip")
		}
		q.gz = gz
	} else if err := q.gz.Reset(src); err != nil {
		return fault.New(fault.Invalid, "the body is not gzip")
	}
	limit := min(h.cfg.MaxDecoded, max(gzipFree, int64(len(q.body))*gzipRatio))
	var held int64
	var err error
	for {
		if int64(len(q.decoded)) == held {
			if q.decoded, held, err = h.more(q, q.decoded, held, min(max(64<<10, 2*held), limit+1)); err != nil {
				return err
			}
		}
		n, err := q.gz.Read(q.decoded[len(q.decoded):held])
		q.decoded = q.decoded[:len(q.decoded)+n]
		if int64(len(q.decoded)) > limit {
			return fault.New(fault.TooLarge, "the body inflates beyond %d bytes", limit).Mend("send smaller batches, without padding")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fault.New(fault.Invalid, "the body is not gzip: it is damaged")
		}
	}
}
