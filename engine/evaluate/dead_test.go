package evaluate_test

import (
	"strconv"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/evaluate"
	"vigil/engine/series"
)

// TestWhatIsGoneIsReadNoMore: of instances whose series were dropped nothing stays with
// a series that they joined and that lives on.
func TestWhatIsGoneIsReadNoMore(t *testing.T) {
	h := &hooked{pairs: pairs{shared: 1}}
	e, err := evaluate.New(engine.Defaults(), engine.Deps{Samples: h, Journal: struct{ engine.Journal }{}, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	rows := []engine.PolicyRow{row(t, "p", `{match: a, fire: 'value > 1 and last("1m", "shared") > 1'}`)}
	if err := e.Load(t.Context(), &engine.Snapshot{Epoch: 1, Policies: rows}); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		h.hooks.Registered(series.Ref(2+i), 1, series.FromMap("a", map[string]string{"host": strconv.Itoa(i)}).Key())
		h.hooks.Dropped(series.Ref(2+i), 1)
	}
	if got := e.Taps(0); got > 0 {
		t.Errorf("%d instances that are gone read what they joined", got)
	}
}
