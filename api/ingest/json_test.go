package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"pgregory.net/rapid"

	"vigil/api/ingest/scan"
	"vigil/engine/series"
)

// TestIngestSingleContract holds the original's answers for one sample, line by
// line of its contract.
func TestIngestSingleContract(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		status     int
		want       string // what the sink got, or type@loc of the first error
	}{
		{"plain", `{"name":"cpu","value":12.5}`, 201, `cpu 1700000000000 12.5`},
		{"trimmed", `{"name":"  cpu\t","value":1}`, 201, `cpu 1700000000000 1`},
		{"blank name", `{"name":"   ","value":1}`, 422, `value_error@body.name`},
		{"empty name", `{"name":"","value":1}`, 422, `value_error@body.name`},
		{"long name", `{"name":"` + strings.Repeat("n", 256) + `","value":1}`, 422, `string_too_long@body.name`},
		{"name of runes", `{"name":"` + strings.Repeat("é", 255) + `","value":1}`, 201, strings.Repeat("é", 255) + ` 1700000000000 1`},
		{"missing name", `{"value":1}`, 422, `missing@body.name`},
		{"missing value", `{"name":"a"}`, 422, `missing@body.value`},
		{"number name", `{"name":7,"value":1}`, 422, `string_type@body.name`},
		{"numeric text", `{"name":"a","value":" 12.5 "}`, 201, `a 1700000000000 12.5`},
		{"true", `{"name":"a","value":true}`, 201, `a 1700000000000 1`},
		{"false", `{"name":"a","value":false}`, 201, `a 1700000000000 0`},
		{"null value", `{"name":"a","value":null}`, 422, `float_type@body.value`},
		{"other text", `{"name":"a","value":"high"}`, 422, `float_parsing@body.value`},
		{"infinite", `{"name":"a","value":1e400}`, 201, `a 1700000000000 +Inf`},
		{"nan", `{"name":"a","value":NaN}`, 422, `finite_number@body.value`},
		{"tags", `{"name":"a","value":1,"tags":{"z":"1","b":"2"}}`, 201, `a{b="2",z="1"} 1700000000000 1`},
		{"tags null", `{"name":"a","value":1,"tags":null}`, 201, `a 1700000000000 1`},
		{"tag not text", `{"name":"a","value":1,"tags":{"z":1}}`, 422, `string_type@body.tags.z`},
		{"tags not an object", `{"name":"a","value":1,"tags":["z"]}`, 422, `dict_type@body.tags`},
		{"tag twice", `{"name":"a","value":1,"tags":{"z":"1","z":"2"}}`, 422, `value_error@body.tags.z`},
		{"tag twice, escaped", `{"name":"a","value":1,"tags":{"z":"1","\u007a":"2"}}`, 422, `value_error@body.tags.z`},
		{"tag named as the name", `{"name":"a","value":1,"tags":{"__name__":"b"}}`, 422, `value_error@body.tags.__name__`},
		{"empty tag", `{"name":"a","value":1,"tags":{"z":""}}`, 201, `a 1700000000000 1`},
		{"escapes", `{"name":"a","value":1,"tags":{"q\u0022":"\ud83d\ude00\n","b":"c"}}`, 201, "a{b=\"c\",q\"=\"😀\\n\"} 1700000000000 1"},
		{"lone surrogate", `{"name":"a","value":1,"tags":{"q":"\ud83dx"}}`, 201, "a{q=\"\ufffdx\"} 1700000000000 1"},
		{"labels", `{"name":"a","value":1,"labels":{"k":"v","n":5,"t":true,"o":null}}`, 201, `a{k="v",n="5",t="true"} 1700000000000 1`},
		{"unix seconds", `{"name":"a","value":1,"timestamp":1700000001}`, 201, `a 1700000001000 1`},
		{"unix fraction", `{"name":"a","value":1,"timestamp":1700000001.25}`, 201, `a 1700000001250 1`},
		{"rfc 3339", `{"name":"a","value":1,"timestamp":"2023-11-14T22:13:21.5Z"}`, 201, `a 1700000001500 1`},
		{"rfc 3339 with zone", `{"name":"a","value":1,"timestamp":"2023-11-14T23:13:21+01:00"}`, 201, `a 1700000001000 1`},
		{"without zone", `{"name":"a","value":1,"timestamp":"2023-11-14T22:13:21.500000"}`, 201, `a 1700000001500 1`},
		{"no time", `{"name":"a","value":1,"timestamp":"yesterday"}`, 422, `datetime_parsing@body.timestamp`},
		{"time of astronomers", `{"name":"a","value":1,"timestamp":1e300}`, 422, `datetime_parsing@body.timestamp`},
		{"unknown fields", `{"x":{"y":[1,{"z":null}]},"name":"a","value":1,"severity":"high"}`, 201, `a 1700000000000 1`},
		{"cut short", `{"name":"a","value":1`, 422, `json_invalid@body`},
		{"more after it", `{"name":"a","value":1} x`, 422, `json_invalid@body`},
		{"trailing comma", `{"name":"a","value":1,}`, 422, `json_invalid@body`},
		{"leading zero", `{"name":"a","value":01}`, 422, `json_invalid@body`},
		{"bare word", `nope`, 422, `json_invalid@body`},
		{"empty", ``, 422, `missing@body`},
		{"text", `"a"`, 422, `model_attributes_type@body`},
		{"deep", `{"name":"a","value":1,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, 422, `json_invalid@body`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &sink{}
			w := postJSON(newHandler(t, s, nil), tc.body)
			if w.Code != tc.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
			if tc.status == 201 {
				if got := w.Body.String(); got != `{"ok":true,"metric_id":1,"message":"Metric ingested successfully"}` {
					t.Errorf("answer %s", got)
				}
				got := fmt.Sprintf("%s %d %v", s.got[0].Labels, s.got[0].T, s.got[0].V)
				if got != tc.want {
					t.Errorf("got  %s\nwant %s", got, tc.want)
				}
				return
			}
			var p struct {
				Detail string
				Errors []struct {
					Type, Msg string
					Loc       []any
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Detail == "" || len(p.Errors) == 0 {
				t.Fatalf("body %s: %v", w.Body, err)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", w.Header().Get("Content-Type"))
			}
			at := p.Errors[0].Type + "@body"
			for _, l := range p.Errors[0].Loc[1:] {
				if s, ok := l.(string); ok {
					at += "." + s
				}
			}
			if at != tc.want || len(s.got) != 0 {
				t.Errorf("error %s, want %s; stored %v", at, tc.want, s.got)
			}
		})
	}
}

func TestIngestRefusedSingle(t *testing.T) {
	s := &sink{reason: map[string]series.Reason{"future": series.Future, "local": series.LocalName, "cap": series.SeriesCap, "lag": series.Lagging}}
	h := newHandler(t, s, nil)
	for name, want := range map[string]struct {
		status int
		retry  string
	}{"future": {422, ""}, "local": {422, ""}, "cap": {429, "60"}, "lag": {429, "1"}} {
		w := postJSON(h, `{"name":"`+name+`","value":1}`)
		if w.Code != want.status || w.Header().Get("Retry-After") != want.retry {
			t.Errorf("%s: %d, Retry-After %q: %s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
}

// TestIngestBatchVerdicts: one bad item does not take the others with it, and
// each refused one is named by its index.
func TestIngestBatchVerdicts(t *testing.T) {
	s := &sink{reason: map[string]series.Reason{"future": series.Future}}
	h := newHandler(t, s, nil)
	body := `[{"name":"a","value":1},{"name":"future","value":1},7,{"name":"b"},{"name":"c","value":3}]`
	r := httptest.NewRequest("POST", "/api/v1/ingest?verdicts=all", strings.NewReader(body))
	w := do(h.JSON, r)
	if w.Code != http.StatusMultiStatus {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var a struct {
		OK                bool `json:"ok"`
		Accepted, Refused int
		Errors            []struct {
			Index        int
			Reason, Type string
		}
		Results []struct {
			OK       bool `json:"ok"`
			MetricID int  `json:"metric_id"`
			Reason   string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err, w.Body)
	}
	got := fmt.Sprintf("%v %d %d %v %v", a.OK, a.Accepted, a.Refused, a.Errors, a.Results)
	want := "false 2 3 [{1 future refused_future} {2 invalid model_attributes_type} {3 invalid missing}] [{true 1 } {false 0 future} {false 0 invalid} {false 0 invalid} {true 2 }]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if w := postJSON(h, `[{"name":"a","value":1},{"name":"b","value":2}]`); w.Code != 201 || !strings.Contains(w.Body.String(), `"ok":true,"metric_id":3,`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := postJSON(h, `[{"name":"b"}]`); w.Code != 422 || !strings.Contains(w.Body.String(), `"loc":["body",0,"value"]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := postJSON(h, `[]`); w.Code != 422 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := postJSON(h, `[{"name":"a","value":1},`); w.Code != 422 || len(s.got) != 4 {
		t.Errorf("a torn array: %d, %d stored", w.Code, len(s.got))
	}
}

func TestIngestLines(t *testing.T) {
	s := &sink{}
	h := newHandler(t, s, nil)
	w := postJSON(h, "{\"name\":\"a\",\"value\":1}\r\n\n{\"name\":\"b\",\"value\":2} {}\nnonsense\n{\"name\":\"c\",\"value\":3}", "Content-Type", "application/x-ndjson")
	if w.Code != 207 || len(s.got) != 2 || s.got[1].Labels != "c" || !strings.Contains(w.Body.String(), `"index":2`) {
		t.Fatalf("%d %s %v", w.Code, w.Body, s.got)
	}
}

func TestIngestGzip(t *testing.T) {
	s := &sink{}
	h := newHandler(t, s, nil)
	for range 3 { // the reader is reused
		if w := postJSON(h, gz(jsonBatch(100)), "Content-Encoding", "gzip"); w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if len(s.got) != 300 || s.got[299].Labels != `cpu_percent{dc="eu-1",host="web-99"}` {
		t.Fatal(len(s.got), s.got[len(s.got)-1])
	}
	if n := h.Stats().InFlight; n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

func gz(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// TestScannerAgreesWithStandardLibrary: what encoding/json takes for JSON the
// scanner takes, and reads the same from it.
func TestScannerAgreesWithStandardLibrary(t *testing.T) {
	type item struct {
		Name  string            `json:"name"`
		Value float64           `json:"value"`
		Tags  map[string]string `json:"tags,omitempty"`
		Extra any               `json:"extra,omitempty"`
	}
	text := rapid.StringOfN(rapid.Rune(), 1, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		in := item{Name: "n" + text.Draw(t, "name") + "n", Value: rapid.Float64().Draw(t, "v"), Tags: map[string]string{}}
		if math.IsInf(in.Value, 0) || math.IsNaN(in.Value) {
			in.Value = 0
		}
		for range rapid.IntRange(0, 5).Draw(t, "tags") {
			in.Tags[text.Draw(t, "k")] = text.Draw(t, "tv")
		}
		in.Extra = rapid.SampledFrom([]any{nil, 1, "x\\\"", []any{1, "]"}, map[string]any{"}": "{"}}).Draw(t, "extra")
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{}
		h, _ := New(Defaults(), Deps{Sink: s, Now: func() int64 { return testNow }})
		w := postJSON(h, string(body))
		if w.Code != 201 {
			t.Fatalf("%s: %s", body, w.Body)
		}
		var back item // what the standard library reads, for strings that are not valid UTF-8
		_ = json.Unmarshal(body, &back)
		want := received{series.FromMap(back.Name, back.Tags).String(), testNow, back.Value}
		if d := cmp.Diff(want, s.got[0]); d != "" {
			t.Fatalf("%s: %s", body, d)
		}
	})
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{`{"name":"a","value":1}`, `[1,2`, `"\ud800"`, `-0.0e+1`, `{"a":{"b":[null,true]}}`, "nul", `[[]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var arena []byte
		s := &scan.Scanner{Src: []byte(in), Arena: &arena}
		ok := s.Pass(0) && s.End()
		depth := strings.Count(in, "[") + strings.Count(in, "{")
		if json.Valid([]byte(in)) && depth < scan.MaxDepth && !ok {
			t.Fatalf("refused valid JSON %q: %s", in, s.Err)
		}
		if ok && !json.Valid([]byte(in)) && !strings.ContainsAny(in, "NI") {
			t.Fatalf("took %q for JSON", in)
		}
		h, _ := New(Defaults(), Deps{Sink: &sink{}})
		if w := postJSON(h, in); w.Code >= 500 {
			t.Fatalf("%q: %d %s", in, w.Code, w.Body)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			body := jsonBatch(n)
			if n == 1 {
				body = body[1 : len(body)-1]
			}
			h := newHandler(b, nullSink{}, nil)
			rd := strings.NewReader("")
			r := httptest.NewRequest("POST", "/api/v1/ingest", rd)
			w := &discard{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				rd.Reset(body)
				if err := h.JSON(w, r, Caller{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/sample")
		})
	}
}

// TestAnswersSayWhatTheyMean: where answers come before the disk each one says so,
// and no other does.
func TestAnswersSayWhatTheyMean(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		h := newHandler(t, &sink{}, nil)
		h.deferred = deferred
		want := map[bool]string{true: "deferred"}[deferred]
		r := httptest.NewRequest("POST", "/api/v1/write", bytes.NewReader(snappy.Encode(nil, writeRequest(1, 1))))
		r.Header.Set("Content-Type", "application/x-protobuf")
		for kind, w := range map[string]*httptest.ResponseRecorder{
			"one": postJSON(h, `{"name":"a","value":1}`), "array": postJSON(h, `[{"name":"a","value":1}]`), "remote write": do(h.RemoteWrite, r),
		} {
			if got := w.Header().Get("Durability"); got != want || w.Code > 299 {
				t.Errorf("deferred %v, %s: %d says %q", deferred, kind, w.Code, got)
			}
		}
	}
}

// TestBackfillIsAsked: samples of long ago are welcome where a caller with a token
// says so, and nowhere else.
func TestBackfillIsAsked(t *testing.T) {
	for query, c := range map[string]struct {
		caller Caller
		code   int
		fill   bool
	}{
		"":                            {Caller{Token: "t"}, 201, false},
		"?backfill=true":              {Caller{Token: "t"}, 201, true},
		"?backfill=no":                {Caller{Token: "t"}, 201, false},
		"?backfill=true&verdicts=all": {Caller{Open: true}, 401, false},
	} {
		s := &sink{}
		h := newHandler(t, s, nil)
		r := httptest.NewRequest("POST", "/api/v1/ingest"+query, strings.NewReader(`{"name":"a","value":1}`))
		w := do(func(w http.ResponseWriter, r *http.Request, _ Caller) error { return h.JSON(w, r, c.caller) }, r)
		if w.Code != c.code || s.fill != c.fill {
			t.Errorf("%q by %+v: %d, backfill %v", query, c.caller, w.Code, s.fill)
		}
	}
}
