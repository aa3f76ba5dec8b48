// Package health proves that a thing is well after it was changed: by an
// expression over samples, or by a check, both in the language of policies.
//
// Only what was measured after the change counts; unknown is not well. It refuses
// an expression that reads no series, since nothing could prove it. It decides
// nothing and starts nothing; Wait blocks until the answer is known, the time that
// the document gives is over, or ctx ends. Methods may be called concurrently.
package health

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/reconcile"
	"vigil/engine/series"
)

// Prover answers. See the package comment.
type Prover struct {
	samples engine.Samples
	clock   clock.Clock
	every   time.Duration
}

// New makes a prover.
func New(s engine.Samples, c clock.Clock) *Prover { return &Prover{s, c, lookEvery} }

const (
	lookEvery = 100 * time.Millisecond
	within    = time.Minute // where the document names no time
	anchor    = "vigil_health"
)

// Compile says what is wrong with the health of a document; places are its fields.
func Compile(h reconcile.Health) (*policy.Condition, fault.Issues) {
	expr := h.Expr
	if h.Check != "" {
		if strings.ContainsAny(h.Check, `"'\{}`) {
			return nil, fault.Issues{{Place: "check", Msg: fmt.Sprintf("%q is no name of a check", h.Check)}}
		}
		expr = fmt.Sprintf(`last("1h", "vigil_check_up{check='%s'}") == 1`, h.Check)
	}
	c, is := policy.Compile(policy.Spec{Match: anchor, Fire: expr})
	for i := range is {
		is[i].Place = strings.Replace(is[i].Place, "fire", "expr", 1)
	}
	if len(is) == 0 && len(c.Sources) < 2 {
		is.Add("expr", `it reads no series: name one in a window, as last("1m", "app_up") == 1`)
	}
	return c, is
}

// Wait blocks until so many samples in a row as the document asks for (one) prove
// health, and says what did. The error names what was seen last.
func (p *Prover) Wait(ctx context.Context, h reconcile.Health, after clock.Stamp) (string, error) {
	cond, is := Compile(h)
	if err := is.Err(); err != nil {
		return "", err
	}
	limit, need := h.Timeout.Std(), max(1, h.Successes)
	if limit <= 0 {
		limit = within
	}
	timer, tick := time.NewTimer(limit), time.NewTicker(p.every)
	defer timer.Stop()
	defer tick.Stop()
	got, newest, last := 0, int64(0), "no sample came after the change"
	for {
		truth, at, said, err := p.look(ctx, cond, after.Millis())
		if err != nil {
			return "", err
		}
		if at > newest {
			newest, last = at, said
			got++
			if truth != policy.True {
				got = 0
			}
			if got >= need {
				return said, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-timer.C:
			return "", fault.New(fault.Timeout, "not well within %s: %s", limit, last)
		case <-tick.C:
		}
	}
}

// look evaluates on what was measured after a moment. at is the newest sample's
// time, 0 none.
func (p *Prover) look(ctx context.Context, cond *policy.Condition, after int64) (truth policy.Truth, at int64, said string, err error) {
	now := p.clock().Millis()
	own := series.FromMap(anchor, nil)
	in := cond.Instance(own)
	in.Observe(0, 1, series.Point{T: now, V: 1})
	for i, src := range cond.Sources[1:] {
		cur, err := p.samples.Select(ctx, src.Selector, after, now)
		if err != nil {
			return policy.Unknown, 0, "", err
		}
		newest, err := feed(in, i+1, cur)
		if err != nil {
			return policy.Unknown, 0, "", err
		}
		at = max(at, newest)
	}
	truth = in.Evaluate(now, false, 0).Fire
	return truth, at, cond.Spec.Fire + " is " + truth.String() + values(in), nil
}

// feed takes all points of a cursor in, and closes it.
func feed(in *policy.Instance, source int, cur engine.Cursor) (newest int64, err error) {
	defer func() {
		if cerr := cur.Close(); err == nil {
			err = cerr
		}
	}()
	var buf []series.Point
	for cur.Next() {
		if buf, err = cur.Points(buf[:0]); err != nil {
			return newest, err
		}
		for _, pt := range buf {
			in.Observe(source, cur.Ref(), pt)
			newest = max(newest, pt.T)
		}
	}
	return newest, cur.Err()
}

// values tells the windows that an answer stood on.
func values(in *policy.Instance) string {
	var out []string
	for _, w := range in.Explain().Windows {
		if len(out) < 4 {
			out = append(out, w.Call+"="+w.Value)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}
