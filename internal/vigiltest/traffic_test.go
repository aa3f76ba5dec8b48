package vigiltest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// traffic is what goes to a lane's daemon until it is killed: samples, breaches,
// policies, acts, each with its own client.
type traffic struct {
	*lane
	m   *model
	run int // names of one run are its own
}

// flow sends until ctx ends or the daemon is dead, and returns when every
// client has come back.
func (f traffic) flow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for w := range pushers {
		wg.Go(func() { f.push(ctx, w, rand.New(rand.NewPCG(uint64(f.run), uint64(w)))) })
	}
	wg.Go(func() { f.breach(ctx) })
	wg.Go(func() { f.policies(ctx) })
	wg.Go(func() { f.acts(ctx) })
	select {
	case <-ctx.Done():
	case <-f.done:
	}
	cancel()
	wg.Wait()
}

// pushers is how many clients push samples.
const pushers = 2

type pushed struct {
	Name      string            `json:"name"`
	Value     float64           `json:"value"`
	Tags      map[string]string `json:"tags"`
	Timestamp string            `json:"timestamp"`
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// push sends batches with rising times and values that are never used twice.
func (f traffic) push(ctx context.Context, w int, r *rand.Rand) {
	at, n := max(time.Now().UnixMilli(), f.m.newest[w]), 0
	defer func() { f.m.newest[w] = at }()
	for ctx.Err() == nil {
		var batch []pushed
		var ss []*sent
		for range 1 + r.IntN(20) {
			at++
			n++
			series := fmt.Sprintf("%d-%d", w, r.IntN(5))
			v := float64(f.run)*1e6 + float64(w)*5e5 + float64(n)
			ss = append(ss, f.m.sending(series, at, v))
			batch = append(batch, pushed{"load", v, map[string]string{"w": series}, stamp(at)})
		}
		status, text, err := f.ask(ctx, "POST", "/api/v1/ingest", batch)
		if f.answered(err, status, text, http.StatusCreated) {
			f.m.ack(ss...)
		}
		at = max(at, time.Now().UnixMilli())
	}
}

// answered says whether the answer is the one that was asked for; one that
// should not be is kept for the verdict. Overload is a good answer and a no.
func (f traffic) answered(err error, status int, text []byte, want ...int) bool {
	if err != nil || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		return false
	}
	for _, w := range want {
		if w == status {
			return true
		}
	}
	f.m.strange("answer %d: %s", status, text)
	return false
}

// breach breaks one target after another, each once.
func (f traffic) breach(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("b-%d-%d", f.run, n)
		f.m.mu.Lock()
		f.m.breaches[id] = false
		f.m.mu.Unlock()
		status, text, err := f.ask(ctx, "POST", "/api/v1/ingest", breached(id, 1))
		if f.answered(err, status, text, http.StatusCreated) {
			f.m.mu.Lock()
			f.m.breaches[id] = true
			f.m.mu.Unlock()
		}
		f.rest(ctx)
	}
}

func breached(id string, v float64) pushed {
	return pushed{"breach", v, map[string]string{"id": id}, stamp(time.Now().UnixMilli())}
}

// rest keeps the journal of one lane readable in the time that a run has.
func (f traffic) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Millisecond):
	}
}

// policies makes, changes and deletes the same few policies.
func (f traffic) policies(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("p%d", n%3)
		f.m.mu.Lock()
		known := f.m.policies[name]
		f.m.mu.Unlock()
		is := ""
		if known != nil {
			is = known.is
		}
		to := fmt.Sprintf("%d/%d", f.run, n)
		method, path, verb, want := "PUT", "/api/v1/policies/"+name, "policy.update", http.StatusOK
		var body any = map[string]any{"description": to}
		switch {
		case is == "":
			method, path, verb, want = "POST", "/api/v1/policies", "policy.create", http.StatusCreated
			body = map[string]any{"name": name, "description": to, "condition": map[string]any{"match": "nothing", "fire": "value > 1"}}
		case n%7 == 6:
			method, verb, to, body = "DELETE", "policy.delete", "", nil
		}
		acked := f.m.policy(name, to)
		recorded, _ := f.m.record(verb, "policy:"+name)
		status, text, err := f.ask(ctx, method, path, body)
		if !f.answered(err, status, text, want) {
			return // what it is now is known after the restart
		}
		acked()
		recorded()
		f.rest(ctx)
	}
}

// acts asks for acts of its own.
func (f traffic) acts(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		target := fmt.Sprintf("a-%d-%d", f.run, n)
		f.m.mu.Lock()
		f.m.asked[target] = true
		f.m.mu.Unlock()
		recorded, _ := f.m.record("action.create", "target:"+target)
		status, text, err := f.ask(ctx, "POST", "/api/v1/actions", map[string]any{"target": target, "action": "effect", "queue_immediately": true})
		if f.answered(err, status, text, http.StatusCreated) {
			var made struct {
				ID int64 `json:"action_id"`
			}
			if err := json.Unmarshal(text, &made); err != nil {
				f.m.strange("an answer is %q: %v", text, err)
			}
			f.m.mu.Lock()
			f.m.actions[made.ID] = target
			f.m.mu.Unlock()
			recorded()
		}
		f.rest(ctx)
	}
}
