package act_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine/remedy"
	"vigil/engine/remedy/act"
)

type one struct{ a remedy.Action }

func (a one) Action(string) (remedy.Action, bool) { return a.a, a.a != nil }
func (a one) Names() []string                     { return nil }

// plain has nothing to say of what it brought up.
type plain struct{}

func (plain) Resolve(remedy.Request) (remedy.Spec, error) { return remedy.Spec{}, nil }
func (plain) Run(context.Context, remedy.Request) (remedy.Result, error) {
	return remedy.Result{OK: true}, nil
}

// kept says after a time how what it brought up does.
type kept struct {
	plain
	after time.Duration
	fell  string
	err   error
}

func (k kept) Lasts(ctx context.Context, _ remedy.Request) (string, error) {
	select {
	case <-time.After(k.after):
		return k.fell, k.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// TestVerifyAsksWhetherItLasts: both have to say yes, and the first no is the
// answer: no judge is waited for when it fell, and no hold when the judge says no.
func TestVerifyAsksWhetherItLasts(t *testing.T) {
	good, bad := remedy.Verification{OK: true, Reason: "well"}, remedy.Verification{Reason: "ill"}
	for _, c := range []struct {
		name   string
		action remedy.Action
		judge  remedy.Verification
		after  time.Duration // of the judge's word
		stop   time.Duration // vigild stops then; 0 never
		want   remedy.Verification
		took   time.Duration
		err    error
	}{
		{name: "nothing to say", action: plain{}, judge: good, after: time.Second, want: good, took: time.Second},
		{name: "an action that is gone", judge: good, want: good},
		{name: "it stands", action: kept{after: 5 * time.Second}, judge: good, after: time.Second, want: good, took: 5 * time.Second},
		{name: "it stands before the judge knows", action: kept{after: time.Second}, judge: good, after: 5 * time.Second, want: good, took: 5 * time.Second},
		{name: "it fell", action: kept{after: time.Second, fell: "exited with 7"}, judge: good, after: time.Minute, want: remedy.Verification{Fell: true, Reason: "exited with 7"}, took: time.Second},
		{name: "it fell though it looked well", action: kept{after: time.Second, fell: "exited with 7"}, judge: good, want: remedy.Verification{Fell: true, Reason: "exited with 7"}, took: time.Second},
		{name: "the judge says no", action: kept{after: time.Hour}, judge: bad, after: time.Second, want: bad, took: time.Second},
		{name: "nobody asks any more", action: kept{after: time.Hour}, judge: remedy.Verification{Unasked: true}, want: remedy.Verification{Unasked: true}},
		{name: "it cannot tell", action: kept{err: errors.New("no such process")}, judge: good, after: time.Second, want: good, took: time.Second},
		{name: "vigild stops", action: kept{after: time.Hour}, judge: good, stop: time.Second, took: time.Second, err: context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop > 0 {
					time.AfterFunc(c.stop, cancel)
				}
				began := time.Now()
				r := remedy.Remediation{Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: "x"}}}}
				got, err := act.Verify(ctx, one{c.action}, r, func(ctx context.Context) (remedy.Verification, error) {
					select {
					case <-time.After(c.after):
						return c.judge, nil
					case <-ctx.Done():
						return remedy.Verification{}, ctx.Err()
					}
				})
				if !errors.Is(err, c.err) || got.OK != c.want.OK || got.Fell != c.want.Fell || got.Unasked != c.want.Unasked || got.Reason != c.want.Reason {
					t.Errorf("%+v, %v; want %+v, %v", got, err, c.want, c.err)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}
