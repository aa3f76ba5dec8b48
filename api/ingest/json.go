package ingest

import (
	"bytes"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"vigil/api/ingest/agent"
	"vigil/api/ingest/scan"
	"vigil/api/problem"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// JSON takes one sample, an array of samples, or NDJSON (one sample a line) and
// answers when they are durable.
//
// One sample is answered 201 with its metric_id. A batch is answered 201 when
// all is in, 207 when some is, and with an error when nothing is; `errors` says
// of each refused item why, by index; `?verdicts=all` lists every item.
func (h *Handler) JSON(w http.ResponseWriter, r *http.Request, c Caller) error {
	return h.count(h.serve(w, r, c, false))
}

// Agent takes what JSON takes, and the nested payload of the original's agent.
func (h *Handler) Agent(w http.ResponseWriter, r *http.Request, c Caller) error {
	return h.count(h.serve(w, r, c, true))
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c Caller, nested bool) error {
	lines, err := jsonType(header(r, "Content-Type"))
	if err != nil {
		return err
	}
	q := h.take()
	defer h.give(q)
	if err := h.read(q, r); err != nil {
		return err
	}
	text := q.body
	switch e := strings.ToLower(header(r, "Content-Encoding")); e {
	case "", "identity":
	case "gzip":
		if err := h.gunzip(q); err != nil {
			return err
		}
		text = q.decoded
	default:
		return unsupported("content encoding", e, "gzip or none")
	}
	s := &scan.Scanner{Src: text, Arena: &q.arena}
	if lines {
		return h.jsonLines(w, r, q, s, c)
	}
	if nested && agent.Is(text) {
		if err := agent.Fill(&q.batch, text); err != nil {
			return err
		}
		return h.batch(w, r, q, len(q.batch.Items), c)
	}
	switch s.Peek() {
	case scan.Object:
		return h.jsonOne(w, r, q, s, c)
	case scan.Array:
		return h.jsonArray(w, r, q, s, c)
	case scan.None:
		if s.Pos == len(text) {
			return problem.Invalid{{Type: "missing", Loc: []any{"body"}, Msg: "Field required"}}
		}
		s.Fail("expected a value")
		return invalid(s)
	}
	at := s.Pos
	if !s.Pass(0) || !s.End() {
		return invalid(s)
	}
	return problem.Invalid{{Type: "model_attributes_type", Loc: []any{"body"}, Msg: "Input should be a valid dictionary or object to extract fields from", Input: raw(s, at)}}
}

// jsonType says whether a media type means lines; without one it is JSON.
func jsonType(ct string) (lines bool, err error) {
	if ct == "" {
		return false, nil
	}
	media, _, err := mime.ParseMediaType(ct)
	switch {
	case err != nil:
	case media == "application/x-ndjson", media == "application/ndjson", media == "application/jsonl", media == "application/x-jsonlines":
		return true, nil
	case media == "application/json", strings.HasSuffix(media, "+json"):
		return false, nil
	}
	return false, unsupported("content type", ct, "application/json or application/x-ndjson")
}

// invalid is the answer to a text that is not JSON.
func invalid(s *scan.Scanner) error {
	return problem.Invalid{{Type: "json_invalid", Loc: []any{"body", s.Pos}, Msg: "JSON decode error", Input: map[string]any{}, Ctx: map[string]any{"error": s.Err}}}
}

func (h *Handler) jsonOne(w http.ResponseWriter, r *http.Request, q *request, s *scan.Scanner, c Caller) error {
	d, ok := q.object(s)
	if !ok || !s.End() {
		return invalid(s)
	}
	if d != nil {
		return problem.Invalid{*d}
	}
	if err := h.submit(w, r, q, c); err != nil {
		return err
	}
	h.names.count(&q.batch)
	it := &q.batch.Items[0]
	if it.Refused > 0 {
		if it.Reason.Retry() {
			return tooMany(it.Reason)
		}
		return problem.Invalid{refusal(it.Reason)}
	}
	q.out = append(q.out[:0], `{"ok":true,"metric_id":`...)
	q.out = strconv.AppendUint(q.out, q.batch.Seq, 10)
	q.out = append(q.out, `,"message":"Metric ingested successfully"}`...)
	answer(w, http.StatusCreated, q.out)
	return nil
}

// refusal is the detail of a sample that the store or the engine did not take.
func refusal(r series.Reason) problem.Detail {
	loc := []any{"body"}
	switch r {
	case series.Future, series.TooOld:
		loc = append(loc, "timestamp")
	case series.LocalName:
		loc = append(loc, "name")
	case series.BadLabels:
		loc = append(loc, "tags")
	}
	return problem.Detail{Type: "refused_" + r.String(), Loc: loc, Msg: "Value error, " + explain(r)}
}

func (h *Handler) jsonArray(w http.ResponseWriter, r *http.Request, q *request, s *scan.Scanner, c Caller) error {
	s.Pos++
	n := 0
	for open := true; s.Next(']', open); open = false {
		if err := h.room(q, n); err != nil {
			return err
		}
		if s.Peek() != scan.Object {
			at := s.Pos
			if !s.Pass(1) {
				return invalid(s)
			}
			end := s.Pos
			q.refuse(n, func() problem.Detail {
				return problem.Detail{Type: "model_attributes_type", Loc: []any{"body"}, Msg: "Input should be a valid dictionary or object to extract fields from", Input: raw(s, at)}
			})
			s.Pos, s.Err = end, ""
		} else if d, ok := q.object(s); !ok {
			return invalid(s)
		} else if d != nil {
			q.refuse(n, func() problem.Detail { return *d })
		}
		n++
	}
	if s.Err != "" || !s.End() {
		return invalid(s)
	}
	return h.batch(w, r, q, n, c)
}

// jsonLines reads a sample from every line that is not blank; a line that is
// not JSON is refused alone.
func (h *Handler) jsonLines(w http.ResponseWriter, r *http.Request, q *request, s *scan.Scanner, c Caller) error {
	text := s.Src
	n, offset := 0, 0
	for offset < len(text) {
		line := text[offset:]
		next := len(text)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], offset+i+1
		}
		*s = scan.Scanner{Src: line, Arena: &q.arena}
		if s.Peek(); s.Pos < len(line) {
			if err := h.room(q, n); err != nil {
				return err
			}
			q.line(s, n, offset)
			n++
		}
		offset = next
	}
	return h.batch(w, r, q, n, c)
}

func (q *request) line(s *scan.Scanner, index, offset int) {
	items, points := len(q.batch.Items), len(q.batch.Points)
	var d *problem.Detail
	ok := s.Peek() == scan.Object || s.Fail("expected an object")
	if ok {
		d, ok = q.object(s)
	}
	if ok && d == nil && !s.End() {
		q.batch.Items, q.batch.Points, ok = q.batch.Items[:items], q.batch.Points[:points], false
	}
	switch {
	case !ok:
		q.refuse(index, func() problem.Detail {
			return problem.Detail{Type: "json_invalid", Loc: []any{"body", offset + s.Pos}, Msg: "JSON decode error", Ctx: map[string]any{"error": s.Err}}
		})
	case d != nil:
		q.refuse(index, func() problem.Detail { return *d })
	}
}

// refuse notes an item that could not be read; of the first few, which an answer
// describes, it keeps why.
func (q *request) refuse(index int, why func() problem.Detail) {
	b := bad{index: index}
	if len(q.bad) < maxErrors {
		b.detail = why()
	}
	q.bad = append(q.bad, b)
}

// room says whether one more item may come.
func (h *Handler) room(q *request, n int) error {
	if n%256 == 255 {
		if err := h.account(q); err != nil {
			return err
		}
	}
	if n >= min(h.cfg.MaxSamples, h.cfg.MaxSeries) {
		return fault.New(fault.TooLarge, "the request has over %d samples", n).Mend("send smaller batches")
	}
	return nil
}
