package ingest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"vigil/api/ingest/scan"
	"vigil/api/ingest/wire"
	"vigil/api/problem"
	"vigil/engine/series"
)

// bad is one item of a batch that could not be read.
type bad struct {
	index  int
	detail problem.Detail
}

// The original's bounds, and ours on tags, whose duplicates are searched for.
const (
	maxName = 255
	maxTags = 64
)

// fields is where one sample object's members lie in the text; -1 is absent.
type fields struct{ name, value, tags, labels, time int }

// object reads one sample at s.Pos and appends it to the batch. It returns nil
// and true when the sample is in, a detail and true when the sample is not
// usable, and false when the text is not JSON (s.Err says why).
func (q *request) object(s *scan.Scanner) (*problem.Detail, bool) {
	at := fields{-1, -1, -1, -1, -1}
	s.Pos++ // the brace
	for open := true; s.Next('}', open); open = false {
		k, ok := s.Key()
		if !ok {
			return nil, false
		}
		s.Space()
		switch string(k) {
		case "name":
			at.name = s.Pos
		case "value":
			at.value = s.Pos
		case "tags":
			at.tags = s.Pos
		case "labels":
			at.labels = s.Pos
		case "timestamp":
			at.time = s.Pos
		}
		if !s.Pass(1) {
			return nil, false
		}
	}
	if s.Err != "" {
		return nil, false
	}
	end := s.Pos
	d := q.fill(s, at)
	s.Pos, s.Err = end, ""
	return d, true
}

// fill reads the members that object found. The text is known to be JSON here.
func (q *request) fill(s *scan.Scanner, at fields) *problem.Detail {
	name, d := textField(s, at.name, "name")
	if d != nil {
		return d
	}
	name = bytes.TrimSpace(name)
	if len(name) == 0 {
		v := problem.Value("name must not be empty or blank", "", "body", "name")
		return &v
	}
	if utf8.RuneCount(name) > maxName {
		return &problem.Detail{Type: "string_too_long", Loc: []any{"body", "name"}, Msg: "String should have at most 255 characters",
			Input: clip(string(name), 64), Ctx: map[string]any{"max_length": maxName}}
	}
	value, d := valueField(s, at.value)
	if d != nil {
		return d
	}
	t, d := timeField(s, at.time)
	if d != nil {
		return d
	}
	key := len(q.arena)
	q.arena = appendLabel(q.arena, nameLabel, name)
	if d := q.tags(s, at.tags, "tags", key); d != nil {
		return d
	}
	if d := q.tags(s, at.labels, "labels", key); d != nil {
		return d
	}
	b := &q.batch
	lo := uint32(len(b.Points))
	b.Points = append(b.Points, series.Point{T: t, V: value})
	b.Items = append(b.Items, series.Item{Key: q.arena[key:len(q.arena):len(q.arena)], Lo: lo, Hi: lo + 1})
	return nil
}

var nameLabel = []byte(series.NameLabel)

// tags appends the labels of one object to the key that begins at arena[key].
// Tags are text; under the alias `labels`, whose values the original never
// looked at, numbers and booleans are taken as they are written.
func (q *request) tags(s *scan.Scanner, at int, field string, key int) *problem.Detail {
	if at < 0 {
		return nil
	}
	s.Pos, s.Err = at, ""
	switch s.Peek() {
	case scan.Null:
		return nil
	case scan.Object:
	default:
		return &problem.Detail{Type: "dict_type", Loc: []any{"body", field}, Msg: "Input should be a valid dictionary", Input: raw(s, at)}
	}
	s.Pos++
	n := 0
	for open := true; s.Next('}', open); open = false {
		// The scanner unescapes into q.arena too: keep what it needs out of the
		// key by building the label only after both strings are known.
		mark := len(q.arena)
		k, _ := s.Key()
		vk := s.Peek()
		from := s.Pos
		var v []byte
		switch {
		case vk == scan.String:
			v, _ = s.Text()
		case field == "labels" && (vk == scan.Number || vk == scan.Bool):
			s.Pass(2)
			v = s.Src[from:s.Pos]
		case field == "labels" && vk == scan.Null:
			s.Pass(2)
			q.arena = q.arena[:mark]
			continue
		default:
			return &problem.Detail{Type: "string_type", Loc: []any{"body", field, string(k)}, Msg: "Input should be a valid string", Input: raw(s, from)}
		}
		if n++; n > maxTags {
			v := problem.Value("at most 64 tags are allowed", nil, "body", field)
			return &v
		}
		if len(k) == 0 || string(k) == series.NameLabel {
			v := problem.Value("this cannot be the name of a tag", string(k), "body", field, string(k))
			return &v
		}
		if hasLabel(q.arena[key:mark], k) {
			v := problem.Value("this tag is given twice", string(k), "body", field, string(k))
			return &v
		}
		if len(v) == 0 { // an empty value is an absent label
			q.arena = q.arena[:mark]
			continue
		}
		if len(q.arena) == mark {
			q.arena = appendLabel(q.arena, k, v)
			continue
		}
		// Unescaped text lies between the key so far and the label: slide it out.
		l := len(q.arena)
		q.arena = appendLabel(q.arena, k, v)
		n := copy(q.arena[mark:], q.arena[l:])
		q.arena = q.arena[:mark+n]
	}
	return nil
}

// appendLabel appends one label in the encoding of series.Item.Key.
func appendLabel(dst, name, value []byte) []byte {
	n := 2 + uvarintLen(len(name)) + len(name) + uvarintLen(len(value)) + len(value)
	dst = append(dst, tagLabel)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = append(dst, 1<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(dst, name...)
	dst = append(dst, 2<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func uvarintLen(n int) (l int) {
	for l = 1; n >= 0x80; l++ {
		n >>= 7
	}
	return l
}

// hasLabel says whether a key already holds a label of this name.
func hasLabel(key, name []byte) bool {
	for pos := 0; pos < len(key); {
		from, to, ok := wire.Span(key, pos+1)
		if !ok {
			return false
		}
		nf, nt, ok := wire.Span(key, from+1)
		if ok && bytes.Equal(key[nf:nt], name) {
			return true
		}
		pos = to
	}
	return false
}

// textField reads a required string.
func textField(s *scan.Scanner, at int, field string) ([]byte, *problem.Detail) {
	if at < 0 {
		return nil, missing(field)
	}
	s.Pos, s.Err = at, ""
	if s.Peek() != scan.String {
		return nil, &problem.Detail{Type: "string_type", Loc: []any{"body", field}, Msg: "Input should be a valid string", Input: raw(s, at)}
	}
	t, _ := s.Text()
	return t, nil
}

// valueField reads the value: a number, a boolean, or text that is a number.
func valueField(s *scan.Scanner, at int) (float64, *problem.Detail) {
	if at < 0 {
		return 0, missing("value")
	}
	s.Pos, s.Err = at, ""
	var v float64
	switch s.Peek() {
	case scan.Number:
		v, _ = s.Number()
	case scan.Bool:
		if yes, _ := s.Word(); yes {
			v = 1
		}
	case scan.String:
		t, _ := s.Text()
		f, ok := looseFloat(t)
		if !ok {
			return 0, &problem.Detail{Type: "float_parsing", Loc: []any{"body", "value"},
				Msg: "Input should be a valid number, unable to parse string as a number", Input: clip(string(t), 64)}
		}
		v = f
	default:
		return 0, &problem.Detail{Type: "float_type", Loc: []any{"body", "value"}, Msg: "Input should be a valid number", Input: raw(s, at)}
	}
	if math.IsNaN(v) {
		return 0, &problem.Detail{Type: "finite_number", Loc: []any{"body", "value"}, Msg: "Input should be a finite number", Input: "NaN"}
	}
	return v, nil
}

// looseFloat reads a number written as text, blanks around it allowed.
func looseFloat(t []byte) (float64, bool) {
	t = bytes.TrimSpace(t)
	if len(t) == 0 || len(t) > 64 || bytes.ContainsAny(t, "xXpP_") { // hexadecimal and digit groups are not on the wire
		return 0, false
	}
	v, err := strconv.ParseFloat(string(t), 64)
	return v, err == nil || math.IsInf(v, 0)
}

// timeField reads the optional time: RFC 3339 or Unix seconds. Without a zone,
// as the original's clients wrote it, it is UTC.
func timeField(s *scan.Scanner, at int) (int64, *problem.Detail) {
	if at < 0 {
		return series.NoTime, nil
	}
	s.Pos, s.Err = at, ""
	var sec float64
	switch s.Peek() {
	case scan.Null:
		return series.NoTime, nil
	case scan.Number:
		sec, _ = s.Number()
	case scan.String:
		t, _ := s.Text()
		f, ok := looseFloat(t)
		if !ok {
			for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
				if tm, err := time.Parse(layout, strings.TrimSpace(string(t))); err == nil {
					return tm.UnixMilli(), nil
				}
			}
			return 0, badTime(clip(string(t), 64))
		}
		sec = f
	default:
		return 0, badTime(raw(s, at))
	}
	if math.IsNaN(sec) || math.Abs(sec) > 1e14 {
		return 0, badTime(raw(s, at))
	}
	return int64(math.Round(sec * 1000)), nil
}

func badTime(input any) *problem.Detail {
	return &problem.Detail{Type: "datetime_parsing", Loc: []any{"body", "timestamp"},
		Msg: "Input should be a time in RFC 3339 or in Unix seconds", Input: input}
}

func missing(field string) *problem.Detail {
	return &problem.Detail{Type: "missing", Loc: []any{"body", field}, Msg: "Field required"}
}

// raw is the value at a place as it was written, for an error: as JSON when it
// is short, as clipped text when it is not.
func raw(s *scan.Scanner, at int) any {
	s.Pos, s.Err = at, ""
	if !s.Pass(1) {
		return nil
	}
	text := s.Src[at:s.Pos]
	if len(text) <= 128 && json.Valid(text) {
		return json.RawMessage(bytes.Clone(text))
	}
	return clip(string(text), 64)
}
