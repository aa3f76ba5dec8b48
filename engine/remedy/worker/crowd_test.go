package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"vigil/engine/remedy"
)

// TestQuickActsGoInCrowds: what only writes back files is carried out eight at a time
// by each worker, what runs a program or is anything else one at a time.
func TestQuickActsGoInCrowds(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 2
		long := func(context.Context, remedy.Request) (remedy.Result, error) {
			<-time.After(5 * time.Second)
			return remedy.Result{OK: true}, nil
		}
		file, unit := r.acts.add("file", remedy.Convergent, long), r.acts.add("unit", remedy.Convergent, long)
		step := func(action, path string, validate bool) remedy.Remediation {
			p := plan(action)
			p.Ladder[0].With, p.Asked = map[string]any{"path": path}, true
			if validate {
				p.Ladder[0].With["validate"] = `["/bin/true","{}"]`
			}
			return remedy.Remediation{Source: remedy.FromReconcile, Target: path, Plan: p}
		}
		var rs []remedy.Remediation
		for i := range 64 {
			rs = append(rs, step("file", fmt.Sprint("/etc/", i), false))
		}
		ids := r.queue(rs...)
		r.run()
		r.pass(5 * time.Minute)
		for _, id := range ids {
			r.want(id, remedy.Succeeded)
		}
		if file.most != 16 {
			t.Errorf("%d files are written at one time, want 16", file.most)
		}
		rs = rs[:0]
		for i := range 8 {
			rs = append(rs, step("unit", fmt.Sprint("u", i), false), step("file", fmt.Sprint("/etc/v", i), true))
		}
		file.mu.Lock()
		file.most = 0
		file.mu.Unlock()
		ids = r.queue(rs...)
		r.pass(5 * time.Minute)
		if file.most > 2 || unit.most > 2 || file.most+unit.most < 2 {
			t.Errorf("%d with a program and %d of units at one time, with two workers", file.most, unit.most)
		}
		for _, id := range ids {
			r.want(id, remedy.Succeeded)
		}
	})
}

// TestACrowdIsOfDifferentFiles: two acts about one file never wait for each other in
// one crowd.
func TestACrowdIsOfDifferentFiles(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 1
		file := r.acts.add("file", remedy.Convergent, func(context.Context, remedy.Request) (remedy.Result, error) {
			<-time.After(time.Second)
			return remedy.Result{OK: true}, nil
		})
		ids := r.queue(crowd(40, 20)...)
		r.run()
		r.pass(2 * time.Minute)
		for _, id := range ids {
			r.want(id, remedy.Succeeded)
			if told := r.told(id); strings.Contains(told, "gate.hold") {
				t.Errorf("remediation %d waited for another: %s", id, told)
			}
		}
		if file.ran() != 40 {
			t.Errorf("%d acts of 40", file.ran())
		}
	})
}

// TestACrowdIsJoined: while a crowd is at work the next quick act is not taken up by
// itself, though a place is free for any other: it would have a whole place.
func TestACrowdIsJoined(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 2
		file := r.acts.add("file", remedy.Convergent, func(_ context.Context, q remedy.Request) (remedy.Result, error) {
			<-time.After(time.Duration(len(q.With["path"].(string))) * time.Second)
			return remedy.Result{OK: true}, nil
		})
		r.acts.add("unit", remedy.Convergent, nil)
		taken := func(action string) bool {
			x := crowd(1, 1)[0]
			x.State, x.Plan.Ladder[0].Action = remedy.Queued, action
			o, ok := r.w.Offer(context.Background(), x)
			if ok {
				o.Settle(nil)
			}
			return ok
		}
		rs := crowd(12, 12)
		for i := range rs { // the one crowd is done before the other
			rs[i].Plan.Ladder[0].With["path"] = "/" + strings.Repeat("x", i)
		}
		r.queue(rs...)
		r.run()
		seen := false
		for range 40 {
			r.pass(time.Second)
			file.mu.Lock()
			now := file.now
			file.mu.Unlock()
			if now > 1 && taken("unit") {
				if seen = true; taken("file") {
					t.Errorf("with %d in a crowd one more file has a place of its own", now)
				}
			}
		}
		if !seen {
			t.Error("no place was ever free beside a crowd")
		}
		if !taken("file") {
			t.Error("with nobody at work a file is not taken up at once")
		}
	})
}

// crowd is n writes of so many files.
func crowd(n, files int) (rs []remedy.Remediation) {
	for i := range n {
		p := plan("file")
		p.Ladder[0].With, p.Asked = map[string]any{"path": fmt.Sprint("/etc/", i*files/n)}, true
		rs = append(rs, remedy.Remediation{Source: remedy.FromReconcile, Plan: p})
	}
	return rs
}

// TestACrowdThatIsStopped: when vigild stops, what a crowd has begun ends and is
// written down, what it has not begun stays queued, and nothing is done twice.
func TestACrowdThatIsStopped(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 1
		file := r.acts.add("file", remedy.Convergent, func(context.Context, remedy.Request) (remedy.Result, error) {
			<-time.After(5 * time.Second)
			return remedy.Result{OK: true}, nil
		})
		ids := r.queue(crowd(40, 40)...)
		r.run()
		r.pass(12 * time.Second) // four at first, as nobody knows of crowds yet, and then eight
		r.halt()
		states := map[remedy.State]int{}
		for _, id := range ids {
			x := r.read(id)
			states[x.State]++
			if (x.State == remedy.Queued) != (x.Attempt == 0) {
				t.Errorf("remediation %d is %s after %d attempts", id, x.State, x.Attempt)
			}
		}
		if states[remedy.Queued] != 20 || file.ran() != 20 {
			t.Errorf("%v, %d begun", states, file.ran())
		}
		r.run()
		r.pass(time.Minute)
		for _, id := range ids {
			if x := r.want(id, remedy.Succeeded); x.Attempt != 1 {
				t.Errorf("remediation %d took %d attempts", id, x.Attempt)
			}
		}
	})
}
