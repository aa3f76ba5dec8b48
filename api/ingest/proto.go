package ingest

import (
	"encoding/binary"
	"math"

	"vigil/api/ingest/wire"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// The walk below reads prometheus.WriteRequest straight from the bytes:
//
//	WriteRequest: 1 repeated TimeSeries; all else is skipped
//	TimeSeries:   1 repeated Label, 2 repeated Sample; all else is skipped
//	Sample:       1 double value, 2 int64 timestamp (ms)
//
// A generated decoder costs twelve allocations and six times the time per
// sample. Labels are not looked into here: their bytes, which senders write
// back to back, are the item's key as they stand.

// Tags of the fields that matter, as single bytes.
const (
	tagSeries = 1<<3 | 2
	tagLabel  = 1<<3 | 2
	tagSample = 2<<3 | 2
	tagValue  = 1<<3 | 1
	tagTime   = 2<<3 | 0
)

// pointBytes is what one point costs while it waits.
const pointBytes = 16

var errProto = fault.New(fault.Invalid, "the body is not a prometheus.WriteRequest")

// decodeWrite fills the batch from a WriteRequest. Keys alias src.
func (h *Handler) decodeWrite(q *request, src []byte) error {
	b := &q.batch
	var heldPoints int64
	for pos := 0; pos < len(src); {
		if src[pos] != tagSeries {
			next, ok := wire.Skip(src, pos)
			if !ok {
				return errProto
			}
			pos = next
			continue
		}
		from, to, ok := wire.Span(src, pos+1)
		if !ok {
			return errProto
		}
		if len(b.Items) == h.cfg.MaxSeries {
			return fault.New(fault.TooLarge, "the request has over %d series", h.cfg.MaxSeries).Mend("send smaller batches")
		}
		if !q.timeSeries(src[from:to], h.cfg.MaxSamples) {
			return errProto
		}
		if len(b.Points) > h.cfg.MaxSamples {
			return fault.New(fault.TooLarge, "the request has over %d samples", h.cfg.MaxSamples).Mend("send smaller batches")
		}
		if grown := pointBytes*int64(cap(b.Points)) - heldPoints; grown > 0 {
			if err := h.hold(q, grown); err != nil {
				return err
			}
			heldPoints += grown
		}
		pos = to
	}
	return nil
}

// timeSeries appends one item with its points; false means malformed. A series
// without samples (exemplars, histograms) is passed over. It stops reading one
// point beyond limit.
func (q *request) timeSeries(src []byte, limit int) bool {
	b := &q.batch
	lo := len(b.Points)
	keyFrom, keyTo := 0, 0     // the run of labels in src
	built, builtAt := false, 0 // labels were apart: the key is in q.arena from builtAt
	for pos := 0; pos < len(src); {
		switch src[pos] {
		case tagLabel:
			_, to, ok := wire.Span(src, pos+1)
			if !ok {
				return false
			}
			switch {
			case built:
				q.arena = append(q.arena, src[pos:to]...)
			case keyTo == 0:
				keyFrom, keyTo = pos, to
			case keyTo == pos:
				keyTo = to
			default:
				built, builtAt = true, len(q.arena)
				q.arena = append(q.arena, src[keyFrom:keyTo]...)
				q.arena = append(q.arena, src[pos:to]...)
			}
			pos = to
		case tagSample:
			from, to, ok := wire.Span(src, pos+1)
			if !ok {
				return false
			}
			p, ok := sample(src[from:to])
			if !ok {
				return false
			}
			if b.Points = append(b.Points, p); len(b.Points) > limit {
				return true
			}
			pos = to
		default:
			next, ok := wire.Skip(src, pos)
			if !ok {
				return false
			}
			pos = next
		}
	}
	if len(b.Points) == lo {
		return true
	}
	key := src[keyFrom:keyTo:keyTo]
	if built {
		key = q.arena[builtAt:len(q.arena):len(q.arena)]
	}
	b.Items = append(b.Items, series.Item{Key: key, Lo: uint32(lo), Hi: uint32(len(b.Points))})
	return true
}

// sample reads a Sample; absent fields are zero, as protobuf has it.
func sample(src []byte) (p series.Point, ok bool) {
	for pos := 0; pos < len(src); {
		switch src[pos] {
		case tagValue:
			if len(src)-pos < 9 {
				return p, false
			}
			p.V = math.Float64frombits(binary.LittleEndian.Uint64(src[pos+1:]))
			pos += 9
		case tagTime:
			v, w := binary.Uvarint(src[pos+1:])
			if w <= 0 {
				return p, false
			}
			p.T = int64(v)
			if p.T == series.NoTime { // ours means "now"; nobody may say it by chance
				p.T++
			}
			pos += 1 + w
		default:
			next, ok := wire.Skip(src, pos)
			if !ok {
				return p, false
			}
			pos = next
		}
	}
	return p, true
}
