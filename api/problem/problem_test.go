package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vigil/api/problem"
	"vigil/engine/fault"
)

// TestEveryKindHasItsAnswer: status and words by the one table, and texts that
// are not for strangers stay inside.
func TestEveryKindHasItsAnswer(t *testing.T) {
	for k := fault.Invalid; k <= fault.Usage; k++ {
		err := fmt.Errorf("while asked: %w", fault.Wrap(k, errors.New("inner"), "the thing"))
		p, hidden := problem.From(err)
		if p.Status != k.Status() || p.Kind != k.String() || p.Title == "" || p.Detail == "" {
			t.Errorf("%s: %+v", k, p)
		}
		if hidden == k.Public() || hidden && strings.Contains(p.Detail, "inner") {
			t.Errorf("%s: hidden %v, detail %q", k, hidden, p.Detail)
		}
	}
	if p, hidden := problem.From(errors.New("bare")); p.Status != 500 || !hidden || p.Error_ != "Internal server error" {
		t.Errorf("%+v", p)
	}
}

func TestProblemsCarryWhatMends(t *testing.T) {
	p, _ := problem.From(fault.New(fault.Exhausted, "slow down").After(1500 * time.Millisecond).Mend("wait"))
	if p.RetryAfter != 2 || p.Hint != "wait" || p.Error_ != "Rate limit exceeded" {
		t.Errorf("%+v", p)
	}
	p, _ = problem.From(fault.Issues{{Place: "a.yaml:3:1", Msg: "wrong", Hint: "right"}})
	if p.Status != 422 || len(p.Errors) != 1 || !strings.Contains(p.Detail, "a.yaml:3:1") || p.Errors[0].Msg != "Value error, wrong (right)" {
		t.Errorf("%+v", p)
	}
	var many problem.Invalid
	for i := range 100 {
		many = append(many, problem.Value("no", i, "body", i))
	}
	if p, _ = problem.From(many); len(p.Errors) != 100 || len(p.Detail) > 600 {
		t.Errorf("%d errors, %d bytes of detail", len(p.Errors), len(p.Detail))
	}
}

// TestWriteAlwaysWritesJSON, whatever was given as input.
func TestWriteAlwaysWritesJSON(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "id-1")
	p, _ := problem.From(problem.Invalid{{Type: "t", Loc: []any{"body"}, Msg: "m", Input: math.NaN()}})
	problem.Write(w, httptest.NewRequest("GET", "/x", nil), p)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got["request_id"] != "id-1" || got["instance"] != "/x" || w.Code != 422 {
		t.Errorf("%v %s", err, w.Body)
	}
	if p.RequestID != "" {
		t.Error("Write changed what it was given")
	}
}
