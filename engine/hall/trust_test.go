package hall_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// facts are what the gates would be told of the only remediation there is.
func (r *rig) facts(t testing.TB) remedy.Facts {
	t.Helper()
	until(t, "a remediation is made", func() bool { return len(r.remediations(t)) == 1 })
	f, err := r.Judge.Facts(context.Background(), r.remediations(t)[0], remedy.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What an unauthenticated caller wrote first is not acted on, unless the policy
// says that it is or the daemon is open to all; and once it is marked, a caller
// with a token does not unmark it.
func TestOpenSamplesAreNotTrusted(t *testing.T) {
	accepting := strings.Replace(breach, "fire: value > 1", "fire: value > 1\n  accept: open", 1)
	for name, c := range map[string]struct {
		policy     string
		open, auth bool
		trusted    bool
	}{
		"with a token":    {breach, false, false, true},
		"without":         {breach, true, false, false},
		"accepted":        {accepting, true, false, true},
		"open to all":     {breach, true, true, true},
		"token, open too": {breach, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startWith(t, t.TempDir(), clock.System(), func(cfg *engine.Config) { cfg.AuthOpen = c.auth })
			r.put(t, c.policy)
			b := &series.Batch{Open: c.open}
			b.Add(series.FromMap("breach_value", map[string]string{"service": "web"}), series.NoTime, 5)
			if err := r.Ingest(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			f := r.facts(t)
			accepted := r.remediations(t)[0].Plan.Open
			if got := f.Trusted || accepted; got != c.trusted {
				t.Errorf("trusted %v, accepted %v; want %v", f.Trusted, accepted, c.trusted)
			}
		})
	}
}

// What is for an outside remediator goes through no worker and so past no gate:
// the mode and the trust of a policy hold for it all the same.
func TestOutsideActsKeepModeAndTrust(t *testing.T) {
	theirs := strings.Replace(breach, "remedy: {ladder: [{action: wait, with: {for: 1s}}]}", "remedy: {external: true, ladder: [{action: their-own}]}", 1)
	mode := func(m string) string {
		return strings.Replace(theirs, "fire: value > 1", "fire: value > 1\n  mode: "+m, 1)
	}
	for name, c := range map[string]struct {
		policy  string
		open    bool
		state   remedy.State
		says    string
		claimed remedy.State // after its remediator's word that it is at work
	}{
		"act":          {theirs, false, remedy.Queued, "", remedy.Running},
		"shadow":       {mode("shadow"), false, remedy.Refused, "would have asked an outside remediator for: their-own", remedy.Refused},
		"suggest":      {mode("suggest"), false, remedy.Queued, "", remedy.Queued},
		"untrusted":    {theirs, true, remedy.Refused, "unauthenticated", remedy.Refused},
		"accepts open": {strings.Replace(theirs, "fire: value > 1", "fire: value > 1\n  accept: open", 1), true, remedy.Queued, "", remedy.Running},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, c.policy)
			b := &series.Batch{Open: c.open}
			b.Add(series.FromMap("breach_value", map[string]string{"service": "web"}), series.NoTime, 5)
			if err := r.Ingest(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			until(t, "a remediation is made", func() bool { return len(r.remediations(t)) == 1 })
			m := r.remediations(t)[0]
			if m.State != c.state || !strings.Contains(m.Reason, c.says) || m.Source != remedy.FromExternal {
				t.Fatalf("%s by gate %q: %s", m.State, m.Gate, m.Reason)
			}
			if told := r.told(t, "gate.refuse"); (len(told) == 1) != (c.state == remedy.Refused) {
				t.Errorf("refusals on record: %v", told)
			}
			_, after, err := r.SetActionStatus(context.Background(), "token:them", m.ID, "running", "", "")
			if (err == nil) != (c.claimed == remedy.Running) {
				t.Errorf("claimed: %s, %v", after.State, err)
			}
			if c.claimed != remedy.Queued {
				return
			}
			if _, err := r.ApproveAction(context.Background(), "token:boss", m.ID); err != nil {
				t.Fatal(err)
			}
			if _, after, err := r.SetActionStatus(context.Background(), "token:them", m.ID, "running", "", ""); err != nil || after.State != remedy.Running {
				t.Errorf("approved, then claimed: %s, %v", after.State, err)
			}
		})
	}
}

// After a restart nothing acts on what was known before: a policy waits for one
// fresh sample of its own. And nothing acts within the grace after the host's boot.
func TestActsWaitUntilInputsAreWarm(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.put(t, breach)
	now := time.Now().UnixMilli()
	r.push(t, 5, now-2000, "breach_value", "service", "web")
	if f := r.facts(t); !f.Warm {
		t.Error("a fresh sample came, and it is not warm")
	}
	r.stop()

	r = start(t, dir)
	if f := r.facts(t); f.Warm {
		t.Error("warm after a restart, before any sample")
	}
	r.push(t, 5, now-1000, "breach_value", "service", "web")
	until(t, "warm after a sample", func() bool { return r.facts(t).Warm })
	r.stop()

	r = startWith(t, dir, clock.System(), func(cfg *engine.Config) { cfg.BootGrace = 100 * 365 * 24 * time.Hour })
	r.push(t, 5, now, "breach_value", "service", "web")
	story, err := r.WhyNot(context.Background(), "breach", "web")
	if err != nil {
		t.Fatal(err)
	}
	if f := r.facts(t); f.Warm {
		t.Errorf("warm within the grace of the host's boot: %+v", story)
	}
	if text := story.Headline; !strings.Contains(text, "booted less than") {
		t.Errorf("why-not says %q", text)
	}
}

// A stale marker ends what is known of an instance at once: it is unknown, not ok,
// and what waits for it does not go on.
func TestStaleMarkerIsUnknownAtOnce(t *testing.T) {
	r := start(t, t.TempDir())
	r.put(t, breach)
	now := time.Now().UnixMilli()
	r.push(t, 5, now-1000, "breach_value", "service", "web")
	if f := r.facts(t); f.Holds != 1 {
		t.Errorf("while it fires the condition is %d", f.Holds)
	}
	r.push(t, series.Stale(), now, "breach_value", "service", "web")
	until(t, "it is unknown", func() bool { fs := r.Firings(); return len(fs) == 1 && fs[0].State == policy.StateUnknown })
	if f := r.facts(t); f.Holds != int8(policy.Unknown) {
		t.Errorf("after the marker the condition is %d", f.Holds)
	}
	if ended := r.told(t, "firing.clear"); len(ended) > 0 {
		t.Errorf("no data was taken for ok: %v", ended)
	}
}
