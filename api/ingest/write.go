package ingest

import (
	"mime"
	"net/http"

	"vigil/engine/fault"
	"vigil/engine/series"
)

// RemoteWrite takes a Prometheus remote write 1.0 request and answers 204 when
// its samples are durable. Errors are for the caller to write, as plain text.
//
// Specification: https://prometheus.io/docs/specs/prw/remote_write_spec/ . Of a
// request with refused samples the good ones are kept: 400 says that a sender
// must not try again, 429 that it may.
func (h *Handler) RemoteWrite(w http.ResponseWriter, r *http.Request, c Caller) error {
	return h.count(h.remoteWrite(w, r, c))
}

func (h *Handler) remoteWrite(w http.ResponseWriter, r *http.Request, c Caller) error {
	media, params, err := mime.ParseMediaType(header(r, "Content-Type"))
	if err != nil || media != "application/x-protobuf" {
		return unsupported("content type", header(r, "Content-Type"), "application/x-protobuf")
	}
	if p := params["proto"]; p != "" && p != "prometheus.WriteRequest" {
		return unsupported("message", p, "prometheus.WriteRequest")
	}
	if e := header(r, "Content-Encoding"); e != "snappy" && e != "" {
		return unsupported("content encoding", e, "snappy (block format)")
	}
	q := h.take()
	defer h.give(q)
	if err := h.read(q, r); err != nil {
		return err
	}
	if err := h.unsnappy(q); err != nil {
		return err
	}
	if err := h.decodeWrite(q, q.decoded); err != nil {
		return err
	}
	if len(q.batch.Items) > 0 {
		if err := h.submit(w, r, q, c); err != nil {
			return err
		}
		if err := writeVerdict(&q.batch); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeVerdict folds the items' verdicts into the one that the protocol has.
func writeVerdict(b *series.Batch) error {
	var refused uint32
	var first *series.Item
	for i := range b.Items {
		it := &b.Items[i]
		if it.Refused == 0 {
			continue
		}
		if it.Reason.Retry() {
			return tooMany(it.Reason)
		}
		refused += it.Refused
		if first == nil {
			first = it
		}
	}
	if first == nil {
		return nil
	}
	what := "a series"
	if ls, err := series.ParseKey(first.Key); err == nil {
		what = clip(ls.String(), 200)
	}
	return fault.New(fault.Invalid, "%d of the samples were refused, the others are stored; the first, of %s: %s", refused, what, explain(first.Reason))
}

// clip shortens a text for a message, at a rune's edge.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "..."
}
