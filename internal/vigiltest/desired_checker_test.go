package vigiltest

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vigil/api/contract"
	"vigil/engine/clock"
	"vigil/engine/ledger"
)

// corpse looks at what a daemon that was killed left: no file half written, nothing
// of others touched; where the host was at rest, no journal and no step either.
func (f *follower) corpse(ctx context.Context) {
	for name, how := range f.host() {
		if text, file := strings.CutPrefix(how, "file "); file && !strings.HasPrefix(filepath.Base(name), ".vigil-") && torn(text[5:]) {
			f.say("%s is half written: %.200q", name, how)
		}
	}
	f.neighbours()
	f.twice()
	if !f.rest {
		f.copied(ctx)
		return
	}
	led := f.ledger(filepath.Join(f.dir, "data"))
	if led == nil {
		return
	}
	defer led.Close()
	f.together(ctx, led)
	s, err := led.Desired(ctx)
	if err != nil {
		f.say("the desired state cannot be read: %v", err)
		return
	}
	if len(s.Undo) > 0 {
		f.say("at rest, %d steps of the journal are left: %+v", len(s.Undo), s.Undo[0])
	}
	for _, r := range s.Active {
		f.say("at rest, remediation %d of %v is %s", r.ID, r.Labels, r.State)
	}
	for _, r := range s.Revisions {
		if r.State.Open() {
			f.say("at rest, revision %d is %s", r.N, r.State)
		}
	}
}

// ledger opens the one in a folder; nil: it has said why not.
func (f *follower) ledger(dir string) *ledger.Ledger {
	cfg := ledger.Defaults()
	cfg.Dir, cfg.BallastMB = dir, 1
	led, err := ledger.Open(cfg, ledger.Deps{Clock: clock.System()})
	if err != nil {
		f.say("the ledger cannot be opened: %v", err)
		return nil
	}
	return led
}

// neighbours: what no document speaks of is as it was.
func (f *follower) neighbours() {
	for name, how := range f.others() {
		if how != f.beside[name] {
			f.say("%s is not vigild's and was changed from %s to %s", name, f.beside[name], how)
		}
	}
}

// settle waits until everything is as it has to be, and says what is not when that
// does not come.
func (f *follower) settle(ctx context.Context) {
	var odd []string
	end := time.Now().Add(f.rests)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if odd = f.look(ctx); len(f.bad) > 0 {
			return
		}
		if len(odd) == 0 {
			break
		}
		if f.dead() {
			return
		}
		if time.Now().After(end) {
			if !quicklyDead(f) {
				f.bad = append(f.bad, odd...)
				f.say("and that after %s", f.rests)
			}
			return
		}
		<-tick.C
	}
	f.chain(ctx)
	f.neighbours()
	if f.rest, f.touched = !f.dead(), false; f.rest {
		f.pending = nil
	}
}

// look compares the host with what the ledger and the branch say it has to be, once.
func (f *follower) look(ctx context.Context) (odd []string) {
	say := func(format string, args ...any) { odd = append(odd, fmt.Sprintf(format, args...)) }
	if f.landed == "" {
		if h := f.host(); len(h) > 0 {
			say("nothing was ever pushed, and there are %v", slices.Sorted(maps.Keys(h)))
		}
		return odd
	}
	d, rows, err := f.desired(ctx)
	if err != nil {
		say("%v", err)
		return odd
	}
	holds := ""
	for i, r := range rows {
		w := f.commits[r.Commit]
		switch {
		case w == nil:
			say("revision %d is %s, which nobody pushed", r.N, r.Commit)
			return odd
		case i == 0 && r.Commit != f.landed:
			say("the branch is at %s and the newest revision is %s", f.landed, r.Commit)
		case r.EndedAt == nil:
			say("revision %d is %s", r.N, r.State)
		case r.State == "good" && w.fate != good:
			f.say("revision %d, %s, cannot be good", r.N, w.fate)
		case r.State == "bad" && w.fate == good && !w.shaken && !strings.Contains(r.Why, "times while it was being applied"):
			f.say("revision %d has nothing wrong and is bad: %s", r.N, r.Why)
		case r.State == "bad" && !w.shaken && strings.Contains(r.Why, "not taken back"):
			f.say("revision %d: %s", r.N, r.Why)
		case r.State == "refused":
			f.say("revision %d, %s, is refused: %s", r.N, w.fate, r.Why)
		}
		if r.State == "good" && holds == "" {
			holds = r.Commit
		}
	}
	if len(f.bad) > 0 {
		return nil // it does not get better
	}
	f.holds = holds
	want, mine := map[string]string{}, own{}
	if holds != "" {
		want, mine = f.commits[holds].host, f.commits[holds].own
	}
	f.running(f.commits[holds], say)
	f.waited()
	f.entry(ctx, mine.action, say)
	is := f.host()
	for name, how := range want {
		if is[name] != how {
			say("%s is %.80q, %s wants %.80q", name, is[name], holds, how)
		}
		delete(is, name)
	}
	for name, how := range is {
		if theirs(name, is) {
			continue
		}
		say("%s is there and nobody wants it: %.80q", name, how)
	}
	refs := f.refs()
	if d.Good != holds || refs["refs/vigil/good"] != holds {
		say("good is %q, the host says %q and refs/vigil/good %q", holds, d.Good, refs["refs/vigil/good"])
	}
	if d.Applied != holds || refs["refs/vigil/applied"] != holds {
		say("applied is %q, the host says %q and refs/vigil/applied %q", holds, d.Applied, refs["refs/vigil/applied"])
	}
	if d.Drifted > 0 || d.Stopped > 0 || d.Stalled != "" {
		say("%d things differ, %d are left alone, stalled: %q", d.Drifted, d.Stopped, d.Stalled)
	}
	odd = append(odd, f.litter()...)
	open, err := f.open(ctx)
	if err != nil {
		say("%v", err)
	}
	odd = append(odd, open...)
	var p contract.Policy
	if err := f.get(ctx, "/api/v1/policies/carried", &p); p.Description != mine.policy {
		say("the policy is %q, wanted %q: %v", p.Description, mine.policy, err)
	}
	return odd
}

// theirs says that a thing which nobody wants any more was changed by a person, or
// holds what was: vigild leaves it to them.
func theirs(name string, host map[string]string) bool {
	for other, how := range host {
		if (other == name || strings.HasPrefix(other, name+"/")) && (strings.Contains(how, byHand) || strings.Contains(how, " 0750")) {
			return true
		}
	}
	return false
}

// litter is what a push or a step leaves for a moment and must take away.
func (f *field) litter() (odd []string) {
	for _, pattern := range []string{f.bare() + "/objects/tmp_objdir-incoming-*", f.bare() + "/.new-*", f.bare() + "/objects/pack/*.pack", f.managed() + "/.vigil-*", f.managed() + "/*/.vigil-*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, name := range found {
			if base, pack := strings.CutSuffix(name, ".pack"); pack && is(base+".idx") != "" {
				continue
			}
			odd = append(odd, "left over: "+name)
		}
	}
	return odd
}

// chain: the audit is whole, and is what was read before with more at its end.
func (f *follower) chain(ctx context.Context) {
	if v, err := f.client.AuditVerify(ctx); err != nil || !v.OK {
		if !quicklyDead(f) {
			f.say("the audit chain is broken: %+v %v", v, err)
		}
		return
	}
	var hashes []string
	for after := ""; ; {
		page, err := f.client.Audit(ctx, after, "", 1000)
		if err != nil {
			if !quicklyDead(f) {
				f.say("the audit cannot be read: %v", err)
			}
			return
		}
		for _, r := range page.Records {
			hashes = append(hashes, r.Hash)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(hashes) < len(f.audit) || !slices.Equal(hashes[:len(f.audit)], f.audit) {
		f.say("the audit had %d records and has %d, which are not all the same", len(f.audit), len(hashes))
	}
	f.audit = hashes
}
