package lang

import (
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vigil/engine/fault"
	"vigil/engine/series"
)

// The caps on a selector.
const (
	maxSelector = 2 << 10
	maxMatchers = 32
)

// ParseSelector reads a PromQL series selector: name{label="value",other=~"re"}.
// One that every series would pass is refused. The error is a *fault.Error whose
// Place is the column. Safe for concurrent use.
func ParseSelector(text string) (sel series.Selector, err error) {
	if len(text) > maxSelector {
		return nil, fault.New(fault.Unprocessable, "the selector has %d bytes, at most %d are allowed", len(text), maxSelector)
	}
	defer func() {
		if p := recover(); p != nil {
			sel, err = nil, fault.New(fault.Unprocessable, "the selector cannot be parsed")
		}
	}()
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
	if err != nil {
		msg, place := err.Error(), ""
		var all parser.ParseErrors
		if errors.As(err, &all) && len(all) > 0 {
			msg, place = all[0].Err.Error(), fmt.Sprint(int(all[0].PositionRange.Start)+1)
		}
		return nil, fault.New(fault.Unprocessable, "the selector cannot be parsed: %s", msg).At(place).Mend(`write name{label="value"}`)
	}
	if len(matchers) > maxMatchers {
		return nil, fault.New(fault.Unprocessable, "the selector has %d matchers, at most %d are allowed", len(matchers), maxMatchers)
	}
	picks := false
	for _, m := range matchers {
		ours, err := series.NewMatcher(matchType(m.Type), m.Name, m.Value)
		if err != nil {
			return nil, fault.New(fault.Unprocessable, "%v", err).Mend("patterns are those of RE2")
		}
		picks = picks || !ours.Matches("")
		sel = append(sel, ours)
	}
	if !picks {
		return nil, fault.New(fault.Unprocessable, "the selector matches every series").Mend("name a metric, or a label that must be there")
	}
	return sel, nil
}

func matchType(t labels.MatchType) series.MatchType {
	switch t {
	case labels.MatchNotEqual:
		return series.MatchNotEqual
	case labels.MatchRegexp:
		return series.MatchRegexp
	case labels.MatchNotRegexp:
		return series.MatchNotRegexp
	}
	return series.MatchEqual
}
