package conform

import (
	"context"
	"fmt"
	"sync"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// writersAtOnceAreWhole: whoever else writes, each decision is whole or not at all:
// every acknowledged one is there, no refused one is.
func writersAtOnceAreWhole(r *stand.Rig) {
	r.Decide(&engine.Decision{Policies: []engine.PolicyRow{stand.Policy("taken", 0)}})
	const writers, each = 32, 12
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[int64]string{}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("p-%d-%d", w, i)
				d := &engine.Decision{Remediations: []remedy.Remediation{stand.Order(name, "s")}, Policies: []engine.PolicyRow{stand.Policy(name, 0)},
					Audit: []audit.Record{stand.Record("policy.put", name)}}
				switch i % 4 {
				case 1: // written in part, then refused
					d.Policies = append(d.Policies, stand.Policy("taken", 0))
					_, err := r.Commit(context.Background(), d)
					if fault.KindOf(err) != fault.Conflict {
						r.Errorf("%s: %v", name, err)
					}
				case 2:
					if _, err := r.Commit(gone, d); fault.KindOf(err) != fault.Cancelled {
						r.Errorf("%s: %v", name, err)
					}
				default:
					rc, err := r.Commit(context.Background(), d)
					if err != nil {
						r.Errorf("%s: %v", name, err)
						continue
					}
					mu.Lock()
					ids[rc.Remediations[0]] = name
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	s := r.Snap()
	if len(s.Active) != len(ids) || len(s.Policies) != len(ids)+1 || len(ids) != writers*each/2 {
		r.Fatalf("%d acknowledged, %d remediations and %d policies are there", len(ids), len(s.Active), len(s.Policies))
	}
	for _, m := range s.Active {
		if ids[m.ID] != m.Target {
			r.Fatalf("remediation %d is %s, its writer was told %s", m.ID, m.Target, ids[m.ID])
		}
	}
	if h := r.Verified(); int(h.Seq) != len(ids) {
		r.Fatalf("%d records for %d decisions", h.Seq, len(ids))
	}
}
