package vigiltest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
)

// checker compares what a daemon says after its restart with the model. Each
// violation is one line.
type checker struct {
	*lane
	m    *model
	bad  []string
	acts []contract.Action
}

func (c *checker) say(format string, args ...any) {
	c.bad = append(c.bad, fmt.Sprintf(format, args...))
}

// check looks at everything and returns what is wrong. The effects are read
// first: what happened outside must stand in what is read after it.
func (c *checker) check(ctx context.Context) []string {
	c.bad = nil
	effects := c.readEffects()
	c.samples(ctx)
	c.policies(ctx)
	c.actions(ctx)
	c.effects(effects, c.audit(ctx))
	c.m.mu.Lock()
	c.bad = append(c.bad, c.m.odd...)
	c.m.odd = nil
	c.m.mu.Unlock()
	return c.bad
}

func (c *checker) samples(ctx context.Context) {
	found := map[string]map[int64]float64{}
	for name := range c.m.samples {
		if !c.read(ctx, name, found) {
			return
		}
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	lost := 0
	for series, points := range c.m.samples {
		for at, s := range points {
			v, here := found[series][at]
			switch {
			case here && v != s.value:
				c.say("sample %s at %d is %v and was sent as %v", series, at, v, s.value)
			case !here && s.acked:
				lost++
			}
			delete(found[series], at)
		}
	}
	if lost > 0 {
		c.say("%d acknowledged samples are lost", lost)
	}
	for series, points := range found {
		for at, v := range points {
			c.say("sample %s at %d is %v and was never sent", series, at, v)
		}
	}
}

// read reads one series of the load into found, so many moments at a time as an
// answer may have points: no two points of a series share a millisecond.
func (c *checker) read(ctx context.Context, name string, found map[string]map[int64]float64) bool {
	const most = 50_000
	c.m.mu.Lock()
	sent := slices.Collect(maps.Keys(c.m.samples[name]))
	c.m.mu.Unlock()
	points := map[int64]float64{}
	found[name] = points
	for from, last := slices.Min(sent)-1, slices.Max(sent); from <= last; from += most {
		r, err := c.client.Range(ctx, fmt.Sprintf("load{w=%q}", name), time.UnixMilli(from), time.UnixMilli(from+most), 10, 100_000)
		if err != nil || r.Truncated {
			c.say("samples cannot be read: truncated %v, %v", r.Truncated, err)
			return false
		}
		for _, s := range r.Series {
			for _, p := range s.Points {
				at, ok1 := p[0].(float64)
				v, ok2 := p[1].(float64)
				if !ok1 || !ok2 {
					c.say("a point of %v is %v", s.Labels, p)
					continue
				}
				points[int64(at*1000+0.5)] = v
			}
		}
	}
	return true
}

func (c *checker) policies(ctx context.Context) {
	for name, p := range c.m.policies {
		is := ""
		status, text, err := c.ask(ctx, "GET", "/api/v1/policies/"+name, nil)
		switch {
		case err != nil || status != http.StatusOK && status != http.StatusNotFound:
			c.say("policy %s cannot be read: %d %s %v", name, status, text, err)
			continue
		case status == http.StatusOK:
			var v contract.Policy
			if err := json.Unmarshal(text, &v); err != nil || v.Description == "" {
				c.say("policy %s is %s: %v", name, text, err)
			}
			is = v.Description
		}
		c.m.mu.Lock()
		if is != p.is && !slices.Contains(p.maybe, is) {
			c.say("policy %s is %q; %q was acknowledged, %q is possible", name, is, p.is, p.maybe)
		}
		p.is, p.maybe = is, nil // now it is known
		c.m.mu.Unlock()
	}
}

func (c *checker) actions(ctx context.Context) {
	c.acts = nil
	for q := (client.ActionQuery{Limit: 500}); ; {
		page, err := c.client.Actions(ctx, q)
		if err != nil {
			c.say("actions cannot be listed: %v", err)
			return
		}
		c.acts = append(c.acts, page.Actions...)
		if q.Before = page.Next; q.Before == "" {
			break
		}
	}
	here := map[int64]contract.Action{}
	for _, a := range c.acts {
		here[a.ID] = a
		if age := time.Since(a.StartedAt); a.State == "running" && age > Patience {
			c.say("action %d is running for %s", a.ID, age)
		}
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for id, target := range c.m.actions {
		if a, ok := here[id]; !ok || a.Target != target {
			c.say("action %d on %s was acknowledged and is %+v", id, target, a)
		}
	}
	for _, a := range here {
		if _, asked := c.m.breaches[a.Target]; !asked && !c.m.asked[a.Target] {
			c.say("action %d on %s was never asked for", a.ID, a.Target)
		}
	}
}

// audit reads the chain, holds it against what was read before and against what
// was acknowledged, and returns the attempts that have a started record.
func (c *checker) audit(ctx context.Context) (started map[string]bool) {
	started = map[string]bool{}
	if v, err := c.client.AuditVerify(ctx); err != nil || !v.OK {
		c.say("the audit chain is broken: %+v %v", v, err)
	}
	n := map[string]int{}
	var hashes []string
	for after := ""; ; {
		page, err := c.client.Audit(ctx, after, "", 1000)
		if err != nil {
			c.say("the audit cannot be read: %v", err)
			return started
		}
		for _, r := range page.Records {
			n[r.Verb+" "+r.Object]++
			hashes = append(hashes, r.Hash)
			if r.Verb == "attempt.start" {
				started[strings.TrimPrefix(r.Object, "attempt:")] = true
			}
			if r.Seq != int64(len(hashes)) {
				c.say("audit record %d stands where %d should", r.Seq, len(hashes))
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for i, h := range c.m.audit {
		if i >= len(hashes) || hashes[i] != h {
			c.say("audit record %d was read before the crash and is gone or another", i+1)
			break
		}
	}
	c.m.audit = hashes
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for key, k := range c.m.records {
		if n[key] < k.least || n[key] > k.most {
			c.say("audit has %d times %s; acknowledged %d, asked for %d", n[key], key, k.least, k.most)
		}
	}
	return started
}

// effects: the act is unsafe and its ladder has one rung with one try, so there
// is at most one effect of a remediation and of a target; each has the record of
// its start.
func (c *checker) effects(effects []effect, started map[string]bool) {
	attempts, targets := map[string]int{}, map[string]int{}
	for _, e := range effects {
		if attempts[e.Attempt]++; attempts[e.Attempt] == 2 {
			c.say("attempt %s was done twice", e.Attempt)
		}
		if targets[e.Target]++; targets[e.Target] == 2 {
			c.say("the unsafe act on %s was done twice", e.Target)
		}
		if !started[e.Attempt] {
			c.say("attempt %s on %s was done without a started record", e.Attempt, e.Target)
		}
	}
}

// ended are the states in which nothing more happens by itself for a while.
var ended = []string{"succeeded", "gave_up", "indeterminate", "cancelled", "refused", "failed"}

// settle brings a lane to rest on a daemon that lives: every acknowledged breach
// must have been found, every act must end, and each breach must have been acted
// on, or say that nobody saw whether it was.
func (c *checker) settle(ctx context.Context) []string {
	open := func() (left []string) {
		c.bad = nil
		c.actions(ctx)
		done := map[string]bool{}
		for _, e := range c.readEffects() {
			done[e.Target] = true
		}
		by := map[string]contract.Action{}
		for _, a := range c.acts {
			by[a.Target] = a
			if !slices.Contains(ended, a.State) {
				left = append(left, a.Target+" is "+a.State+" "+a.Reason)
			}
		}
		c.m.mu.Lock()
		defer c.m.mu.Unlock()
		for id, acked := range c.m.breaches {
			a, found := by[id]
			switch {
			case !found && acked:
				left = append(left, "breach "+id+" was acknowledged and not found")
			case found && !slices.Contains(ended, a.State):
				// It is still so, or the act has helped: nothing is done without a
				// sample since the start.
				v := 1.0
				if done[id] {
					v = 0
				}
				if status, text, err := c.ask(ctx, "POST", "/api/v1/ingest", breached(id, v)); err != nil || status != http.StatusCreated {
					left = append(left, "push: "+strconv.Itoa(status)+" "+string(text))
				}
			case found && !done[id] && a.State != "indeterminate":
				left = append(left, "breach "+id+" ended "+a.State+" without an act: "+a.Reason)
			}
		}
		return append(left, c.bad...)
	}
	// As long as something comes to its end there is patience: a machine with much
	// else to do is slow, not stuck.
	var left []string
	least := math.MaxInt
	for least > 0 && until(c.rests, func() bool { left = open(); return len(left) < least }) {
		least = len(left)
	}
	if len(left) > 0 {
		for _, l := range left[:min(10, len(left))] {
			c.say("at rest: %s", l)
		}
		return c.bad
	}
	return c.check(ctx)
}
