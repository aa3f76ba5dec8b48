// Package actiontest is the suite that every kind of action passes: what
// remedy.Action promises, asked of a real act.
package actiontest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Case is one kind and what to ask of it.
type Case struct {
	Action  remedy.Action
	Good    remedy.Request // works, and may be done more than once in a test
	Spec    remedy.Spec    // what Good resolves to; a zero Timeout or Summary is not compared
	Needs   []string       // parameters that cannot be left out
	Bad     []Bad
	Slow    *remedy.Request // an act that would go on far beyond its timeout
	Refused *remedy.Request // resolves, but cannot be started
}

// Bad is a set of parameters that is refused, and what the refusal says.
type Bad struct {
	With map[string]any
	Says string
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	t.Helper()
	t.Run("resolve", func(t *testing.T) { resolve(t, c) })
	t.Run("strict", func(t *testing.T) { strict(t, c) })
	t.Run("bad", func(t *testing.T) {
		for _, b := range c.Bad {
			r := c.Good
			r.With = b.With
			refuses(t, c.Action, r, b.Says)
		}
	})
	t.Run("act", func(t *testing.T) { act(t, c) })
	t.Run("timeout", func(t *testing.T) { slow(t, c, false) })
	t.Run("cancel", func(t *testing.T) { slow(t, c, true) })
	t.Run("refused", func(t *testing.T) {
		if c.Refused == nil {
			return
		}
		if _, err := c.Action.Resolve(*c.Refused); err != nil {
			t.Fatalf("does not resolve: %v", err)
		}
		if res, err := c.Action.Run(t.Context(), fresh(*c.Refused)); err == nil {
			t.Errorf("could not be started and is no error: %+v", res)
		}
	})
	t.Run("class", func(t *testing.T) {
		_, probes := c.Action.(remedy.Prober)
		if c.Spec.Class == remedy.Probed && !probes {
			t.Error("is of class probed and has no probe")
		}
	})
}

// resolve: pure, the same every time, from many goroutines, and it changes
// nothing in the request.
func resolve(t *testing.T, c Case) {
	before := maps.Clone(c.Good.With)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := c.Action.Resolve(c.Good)
				if err != nil {
					t.Errorf("resolve: %v", err)
					return
				}
				want := c.Spec
				if want.Timeout == 0 {
					want.Timeout = got.Timeout
				}
				if want.Summary == "" {
					want.Summary = got.Summary
				}
				if got != want {
					t.Errorf("resolved to %+v, want %+v", got, want)
					return
				}
				if got.Timeout <= 0 || got.Summary == "" {
					t.Errorf("no timeout or no summary: %+v", got)
					return
				}
			}
		})
	}
	wg.Wait()
	if !reflect.DeepEqual(before, c.Good.With) {
		t.Errorf("the request was changed: %v", c.Good.With)
	}
}

// strict: unknown, misspelt, missing and mistyped parameters are named.
func strict(t *testing.T, c Case) {
	with := func(change func(map[string]any)) remedy.Request {
		r := c.Good
		r.With = maps.Clone(c.Good.With)
		if r.With == nil {
			r.With = map[string]any{}
		}
		change(r.With)
		return r
	}
	refuses(t, c.Action, with(func(m map[string]any) { m["no-such-parameter"] = "x" }), "no-such-parameter")
	for name := range c.Good.With {
		refuses(t, c.Action, with(func(m map[string]any) { m[name+"s"] = "x" }), "did you mean "+name)
		refuses(t, c.Action, with(func(m map[string]any) { m[name] = map[string]any{"a": "b"} }), "with."+name)
		refuses(t, c.Action, with(func(m map[string]any) { m[name] = []any{"a"} }), "with."+name)
	}
	for _, name := range c.Needs {
		refuses(t, c.Action, with(func(m map[string]any) { delete(m, name) }), name+" is missing")
	}
}

func refuses(t *testing.T, a remedy.Action, r remedy.Request, says string) {
	t.Helper()
	_, err := a.Resolve(r)
	if fault.KindOf(err) != fault.Unprocessable || !strings.Contains(fmt.Sprint(err), says) {
		t.Errorf("%v: got %v (%v), want a refusal that says %q", r.With, err, fault.KindOf(err), says)
	}
	if _, err := a.Run(t.Context(), r); err == nil {
		t.Errorf("%v: was refused and yet run", r.With)
	}
}

// act: it works, its output is fit to be stored, it leaves no descriptor open,
// and if it is convergent it works again.
func act(t *testing.T, c Case) {
	times := 1
	if c.Spec.Class == remedy.Convergent {
		times = 2
	}
	for n := range times {
		res, err := c.Action.Run(t.Context(), fresh(c.Good))
		if err != nil || !res.OK || res.Unseen || res.TimedOut || res.Error != "" {
			t.Fatalf("time %d: %+v, %v", n+1, res, err)
		}
		fit(t, res)
	}
	before := descriptors(t)
	if _, err := c.Action.Run(t.Context(), fresh(c.Good)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return descriptors(t) <= before })
}

// fresh gives a request an attempt of its own, as each act has one.
func fresh(r remedy.Request) remedy.Request {
	r.Attempt = fmt.Sprintf("2-7-%d", attempts.Add(1))
	return r
}

var attempts atomic.Int64

func fit(t *testing.T, res remedy.Result) {
	t.Helper()
	if len(res.Output) > 64<<10 || !utf8.ValidString(res.Output) {
		t.Errorf("the output has %d bytes, valid %v", len(res.Output), utf8.ValidString(res.Output))
	}
	if !res.OK && res.Error == "" {
		t.Errorf("failed without a word: %+v", res)
	}
}

// slow: neither the timeout nor the caller's end is overrun, but by what a busy
// machine needs.
func slow(t *testing.T, c Case, cancel bool) {
	if c.Slow == nil {
		return
	}
	r := fresh(*c.Slow)
	ctx, stop := t.Context(), func() {}
	if cancel {
		ctx, stop = context.WithTimeout(ctx, 200*time.Millisecond)
		r.Timeout = time.Hour
	}
	defer stop()
	began := time.Now()
	res, err := c.Action.Run(ctx, r)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %v", took)
	}
	if err == nil && (res.OK || !res.TimedOut) {
		t.Errorf("was cut short and says %+v", res)
	}
	if err == nil {
		fit(t, res)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Error("descriptors stay open")
}
