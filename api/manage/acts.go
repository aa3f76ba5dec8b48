package manage

import (
	"context"
	"sync"

	"vigil/engine"
	"vigil/engine/remedy"
)

// acts counts what became of actions, for actions_total: one for each status an
// action was seen to take since this process started, whoever asked for it.
type acts struct {
	mu    sync.Mutex
	known bool
	last  int64            // newest id that was counted
	open  map[int64]string // actions that may still change, with the word last counted
	count map[act]float64
}

type act struct{ target, action, status string }

// actsKept bounds the label sets, and the actions that are followed.
const actsKept = 2000

func (a *acts) init() { a.open, a.count = map[int64]string{}, map[act]float64{} }

// look takes in what changed in the ledger. It blocks on disk.
func (a *acts) look(ctx context.Context, r engine.Reader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	page := 200
	if !a.known {
		page = 1
	}
	f := engine.RemediationFilter{Limit: page}
	var fresh []remedy.Remediation
	for {
		xs, _, err := r.Remediations(ctx, f)
		if err != nil {
			return
		}
		reached := len(xs) < page
		for _, x := range xs {
			if x.ID <= a.last {
				reached = true
				break
			}
			fresh = append(fresh, x)
		}
		if reached || !a.known || len(fresh) > 50*page {
			break
		}
		f.Before = xs[len(xs)-1].ID
	}
	for i, x := range fresh {
		if i == 0 {
			a.last = x.ID
		}
		if a.known {
			a.see(x, "")
		}
	}
	a.known = true
	for id, word := range a.open {
		if x, err := r.Remediation(ctx, id); err == nil && x.State.Word() != word {
			a.see(x, word)
		}
	}
}

func (a *acts) see(x remedy.Remediation, before string) {
	word := x.State.Word()
	w := wireAction(x)
	if before == "" && word != "pending" {
		a.add(act{x.Target, w.Action, "pending"})
	}
	a.add(act{x.Target, w.Action, word})
	if x.State.Final() && x.State != remedy.GaveUp {
		delete(a.open, x.ID)
	} else if _, there := a.open[x.ID]; there || len(a.open) < actsKept {
		a.open[x.ID] = word
	}
}

func (a *acts) add(k act) {
	if _, there := a.count[k]; !there && len(a.count) >= actsKept {
		k.target, k.action = "other", "other"
	}
	a.count[k]++
}

func (a *acts) each(f func(act, float64)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, n := range a.count {
		f(k, n)
	}
}
