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
}

// kept is the most memory one buffer may keep in the pool: a rare giant must
// not stay for ever.
const kept = 2 << 20

func (h *Handler) take() *request { return h.pool.Get().(*request) }

func (h *Handler) give(q *request) {
	h.inflight.Add(-q.held)
	q.held = 0
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
	if h.inflight.Add(n) > h.cfg.MaxInFlight {
		h.inflight.Add(-n)
		return fault.New(fault.Exhausted, "too many bytes of samples are being read at once").After(time.Second)
	}
	q.held += n
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
	if err := h.hold(q, first+1); err != nil {
		return err
	}
	if int64(cap(q.body)) < first+1 {
		q.body = make([]byte, 0, first+1)
	}
	held := first + 1
	for {
		if len(q.body) == cap(q.body) {
			grown := append(q.body, 0)
			q.body = grown[:len(q.body)]
		}
		if more := int64(len(q.body)) + 1 - held; more > 0 {
			step := max(more, held)
			if err := h.hold(q, step); err != nil {
				return err
			}
			held += step
		}
		room := q.body[len(q.body):cap(q.body)]
		if rest := limit + 1 - int64(len(q.body)); int64(len(room)) > rest {
			room = room[:rest]
		}
		if rest := held - int64(len(q.body)); int64(len(room)) > rest {
			room = room[:rest]
		}
		n, err := r.Body.Read(room)
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
	for {
		if len(q.decoded) == cap(q.decoded) {
			q.decoded = append(q.decoded, make([]byte, max(64<<10, len(q.decoded)))...)[:len(q.decoded)]
		}
		if more := int64(len(q.decoded)) + 1 - held; more > 0 {
			step := max(64<<10, held)
			if err := h.hold(q, step); err != nil {
				return err
			}
			held += step
		}
		room := q.decoded[len(q.decoded):min(int64(cap(q.decoded)), held)]
		n, err := q.gz.Read(room)
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
