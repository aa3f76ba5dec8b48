package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"vigil/api/problem"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// maxErrors is how many refused items one answer describes; the count tells all.
const maxErrors = 1000

// batch submits what was read of n items and answers with the verdicts.
func (h *Handler) batch(w http.ResponseWriter, r *http.Request, q *request, n int, c Caller) error {
	if n == 0 {
		return problem.Invalid{{Type: "too_short", Loc: []any{"body"}, Msg: "List should have at least 1 item after validation, not 0", Ctx: map[string]any{"min_length": 1}}}
	}
	if len(q.batch.Items) > 0 {
		if err := h.submit(w, r, q, c); err != nil {
			return err
		}
		h.names.count(&q.batch)
	}
	h.refused.Add(uint64(len(q.bad)))
	v := tally(&q.batch, len(q.bad))
	if v.taken == 0 {
		return nothing(q, n, v)
	}
	status := http.StatusCreated
	if v.refused > 0 {
		status = http.StatusMultiStatus
	}
	out := append(q.out[:0], `{"ok":`...)
	out = strconv.AppendBool(out, v.refused == 0)
	out = append(out, `,"metric_id":`...)
	out = strconv.AppendUint(out, q.batch.Seq, 10)
	out = append(out, `,"message":"`...)
	if v.refused == 0 {
		out = append(out, "Metrics ingested successfully"...)
	} else {
		out = append(out, "Some metrics were refused"...)
	}
	out = append(out, `","accepted":`...)
	out = strconv.AppendInt(out, int64(v.taken), 10)
	out = append(out, `,"refused":`...)
	out = strconv.AppendInt(out, int64(v.refused), 10)
	if v.refused > 0 {
		w.Header().Set("Retry-After", "1")
		out = append(out, `,"errors":`...)
		out = append(out, marshal(refusals(q, n))...)
	}
	if r.URL.RawQuery != "" && r.URL.Query().Get("verdicts") == "all" {
		out = appendVerdicts(append(out, `,"results":`...), q, n)
	}
	q.out = append(out, '}')
	if v.retry == series.Accepted {
		w.Header().Del("Retry-After")
	}
	answer(w, status, q.out)
	return nil
}

// verdicts is a batch's outcome in numbers; retry is a reason for which items
// may be sent again.
type verdicts struct {
	taken, refused int
	retry          series.Reason
}

func tally(b *series.Batch, unread int) verdicts {
	v := verdicts{refused: unread}
	for i := range b.Items {
		it := &b.Items[i]
		v.taken += int(it.Hi - it.Lo)
		v.refused += int(it.Refused)
		if it.Refused > 0 && it.Reason.Retry() {
			v.retry = it.Reason
		}
	}
	return v
}

// nothing is the error for a batch of which no item was taken.
func nothing(q *request, n int, v verdicts) error {
	if v.retry != series.Accepted {
		p := problem.New(fault.Exhausted, explain(v.retry))
		p.RetryAfter = problem.Seconds(wait(v.retry))
		return p
	}
	var inv problem.Invalid
	for _, e := range refusals(q, n) {
		d := e.Detail
		loc := []any{"body", e.Index}
		if len(d.Loc) > 1 && d.Type != "json_invalid" {
			loc = append(loc, d.Loc[1:]...)
		}
		d.Loc = loc
		inv = append(inv, d)
	}
	return inv
}

// refusedItem is one entry of a batch answer's `errors`.
type refusedItem struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"` // of series.Reason, or "invalid"
	Retry  bool   `json:"retry,omitempty"`
	problem.Detail
}

// refusals lists the refused items by index, the first maxErrors of them.
func refusals(q *request, n int) []refusedItem {
	var out []refusedItem
	walk(q, n, func(i int, d *problem.Detail, it *series.Item, _ uint64) {
		if len(out) == maxErrors {
			return
		}
		switch {
		case d != nil:
			out = append(out, refusedItem{i, "invalid", false, *d})
		case it.Refused > 0:
			out = append(out, refusedItem{i, it.Reason.String(), it.Reason.Retry(), refusal(it.Reason)})
		}
	})
	return out
}

// appendVerdicts lists every item: {"ok":true,"metric_id":7} or {"ok":false,"reason":"future"}.
func appendVerdicts(out []byte, q *request, n int) []byte {
	out = append(out, '[')
	walk(q, n, func(i int, d *problem.Detail, it *series.Item, seq uint64) {
		if i > 0 {
			out = append(out, ',')
		}
		if d == nil && it.Refused == 0 {
			out = append(out, `{"ok":true,"metric_id":`...)
			out = strconv.AppendUint(out, seq, 10)
			out = append(out, '}')
			return
		}
		reason := "invalid"
		if d == nil {
			reason = it.Reason.String()
		}
		out = append(out, `{"ok":false,"reason":"`...)
		out = append(out, reason...)
		out = append(out, `"}`...)
	})
	return append(out, ']')
}

// walk visits the n items as they came: d for one that could not be read, else
// the batch's item and, when it was taken, its sequence.
func walk(q *request, n int, visit func(i int, d *problem.Detail, it *series.Item, seq uint64)) {
	unread, at, seq := 0, 0, q.batch.Seq
	for i := range n {
		if unread < len(q.bad) && q.bad[unread].index == i {
			visit(i, &q.bad[unread].detail, nil, 0)
			unread++
			continue
		}
		it := &q.batch.Items[at]
		at++
		visit(i, nil, it, seq)
		seq += uint64(it.Hi - it.Lo)
	}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("[]")
	}
	return b
}

func answer(w http.ResponseWriter, status int, body []byte) {
	hd := w.Header()
	hd["Content-Type"] = jsonContent
	hd.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

var jsonContent = []string{"application/json"}
