package evaluate_test

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/evaluate"
	"vigil/engine/series"
)

// many is a store that has so many series of one name when it starts.
type many struct {
	engine.Samples
	n     int
	taken int
}

func (m *many) Start(ctx context.Context, _ uint64, h engine.Hooks) error {
	for ; m.taken < m.n && ctx.Err() == nil; m.taken++ {
		ls := series.FromMap("breach_value", map[string]string{"i": strconv.Itoa(m.taken)})
		h.Registered(series.Ref(m.taken+1), series.Local(m.taken), ls.Key())
	}
	return ctx.Err()
}

func (m *many) Select(context.Context, series.Selector, int64, int64) (engine.Cursor, error) {
	return nothing{}, nil
}

type nothing struct{ engine.Cursor }

func (nothing) Next() bool   { return false }
func (nothing) Err() error   { return nil }
func (nothing) Close() error { return nil }

// row is a policy as the ledger has it.
func row(t *testing.T, name, spec string) engine.PolicyRow {
	t.Helper()
	ds, is := document.Parse("p.yaml", []byte("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: "+name+"}\nspec: "+spec+"\n"), document.API)
	if err := is.Err(); err != nil {
		t.Fatal(err)
	}
	p, is := engine.PolicyFromDocument(ds[0])
	if err := is.Err(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return engine.PolicyRow{Name: name, Owner: string(document.API), Enabled: true, Text: text, Version: 1}
}

// TestManySeriesOfOnePolicyAreTakenIn: what a new series costs does not grow with how
// many its policy has already. The time is a guard, many times what it takes under the
// race detector; where each series goes through all others it is minutes.
func TestManySeriesOfOnePolicyAreTakenIn(t *testing.T) {
	m := &many{n: 200_000}
	e, err := evaluate.New(engine.Defaults(), engine.Deps{Samples: m, Journal: struct{ engine.Journal }{}, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rows := []engine.PolicyRow{row(t, "breach", "{match: breach_value, fire: value > 1}")}
	if err := e.Load(ctx, &engine.Snapshot{Epoch: 1, Policies: rows}); err != nil {
		t.Fatalf("%d of %d were taken in: %v", m.taken, m.n, err)
	}
	found := 0
	e.Inspect("breach", func(*evaluate.Look) { found++ })
	if found != m.n {
		t.Errorf("%d of %d are evaluated", found, m.n)
	}
}
