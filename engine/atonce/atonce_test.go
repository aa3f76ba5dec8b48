package atonce

import (
	"context"
	"testing"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// taker offers everything, and counts what became of it.
type taker struct {
	version         int64 // of the firing that the facts are about
	claimed, nought int
}

func (t *taker) Offer(_ context.Context, r remedy.Remediation) (remedy.Offer, bool) {
	return remedy.Offer{
		Claim: remedy.Claim{Policy: r.Policy, Fingerprint: r.Fingerprint, FiringVersion: t.version},
		Settle: func(m *remedy.Move) {
			if m != nil {
				t.claimed++
			} else {
				t.nought++
			}
		},
	}, true
}

// book is a ledger that claims what it is asked to, or fails.
type book struct {
	engine.Journal
	saw  []engine.Decision
	fail func(*engine.Decision) error
}

func (b *book) Commit(_ context.Context, d *engine.Decision) (rc engine.Receipt, err error) {
	b.saw = append(b.saw, *d)
	if b.fail != nil {
		if err := b.fail(d); err != nil {
			return rc, err
		}
	}
	rc.Claimed = map[int]remedy.Move{}
	for i := range d.Claims {
		rc.Claimed[i] = remedy.Move{}
	}
	return rc, nil
}

// TestEveryOfferIsSettledOnce: whatever the ledger says, and the claim is about
// the firing as the decision leaves it, or is not made.
func TestEveryOfferIsSettledOnce(t *testing.T) {
	withClaims := func(k fault.Kind) func(*engine.Decision) error {
		return func(d *engine.Decision) error {
			if len(d.Claims) > 0 {
				return fault.New(k, "planted")
			}
			return nil
		}
	}
	tests := []struct {
		name            string
		facts, row      int64
		closed          string
		fail            func(*engine.Decision) error
		wantErr         fault.Kind
		commits         int
		claimed, nought int
		version         int64 // that the claim compares
	}{
		{"a new firing", 0, 0, "", nil, fault.OK, 1, 1, 0, 1},
		{"a firing that moved", 4, 4, "", nil, fault.OK, 1, 1, 0, 5},
		{"facts of another firing", 3, 4, "", nil, fault.OK, 1, 0, 1, 0},
		{"a firing that is closed", 4, 4, "gone", nil, fault.OK, 1, 0, 1, 0},
		{"a conflict is written without", 4, 4, "", withClaims(fault.Conflict), fault.OK, 2, 0, 1, 5},
		{"an outage is told as it is", 4, 4, "", withClaims(fault.Unavailable), fault.Unavailable, 1, 0, 1, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, b := &taker{version: tt.facts}, &book{fail: tt.fail}
			j := New(b)
			j.Introduce(w)
			d := &engine.Decision{
				Firings:      []engine.FiringRow{{Policy: "p", Fingerprint: 7, Version: tt.row, Closed: tt.closed}},
				Remediations: []remedy.Remediation{{Policy: "p", Fingerprint: 7}},
			}
			_, err := j.Commit(context.Background(), d)
			if fault.KindOf(err) != tt.wantErr || len(b.saw) != tt.commits || w.claimed != tt.claimed || w.nought != tt.nought {
				t.Errorf("%v; %d commits, %d claimed, %d not", err, len(b.saw), w.claimed, w.nought)
			}
			if got := b.saw[0].Claims[0].FiringVersion; got != tt.version {
				t.Errorf("the claim compares version %d, want %d", got, tt.version)
			}
			if len(d.Claims) > 0 {
				t.Error("the caller's decision was changed")
			}
		})
	}
}
