package vigilsim

import (
	"context"
	"time"

	"vigil/engine"
	"vigil/engine/remedy"
)

// fail breaks a service that is well.
func (s *sim) fail(name string, f failure) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	x, now := w.service(name), time.Now()
	if x.fails != nil && !x.fails.over(now) {
		return
	}
	f.began = now
	if !f.firm.IsZero() {
		f.firm = now.Add(f.firm.Sub(time.Time{}))
	}
	if f.kind == "flap" || f.kind == "passing" {
		f.itself = now.Add(f.delay)
	}
	heals := map[string]int{}
	for k, v := range f.heals {
		heals[k] = v
	}
	f.heals = heals
	x.fails = &f
}

func (s *sim) mute(name string, d time.Duration) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.service(name).mute = time.Now().Add(d)
}

// hold is a person's word that something must not be acted on.
func (s *sim) hold(kind, name string, d time.Duration) {
	h := engine.Hold{Kind: engine.HoldKind(kind), Reason: "the script says so", Until: s.house.clocks.now().Add(d)}
	about := name
	switch kind {
	case "pause":
		about = ""
	case "silence":
		h.Matchers = `{service="` + name + `"}`
	case "hands_off":
		h.Subject = "svc:" + name
	}
	until := time.Now().Add(d)
	s.call(kind, func(ctx context.Context, l *life) error {
		put, err := l.engine.PutHold(ctx, "token:ann", h)
		if err == nil {
			s.world.mu.Lock()
			s.world.holds = append(s.world.holds, &held{id: put.ID, kind: kind, about: about, boot: s.world.clocks.bootID(), from: time.Now(), until: until})
			s.world.mu.Unlock()
		}
		return err
	})
}

// release lets go of what is held of a kind and a name; "" any name.
func (s *sim) release(kind, name string) {
	s.world.mu.Lock()
	hs := append([]*held(nil), s.world.holds...)
	s.world.mu.Unlock()
	for _, h := range hs {
		if h.kind != kind || name != "" && h.about != "" && h.about != name || !h.released.IsZero() {
			continue
		}
		at := time.Now() // from here on it may be gone
		s.world.mu.Lock()
		h.released = at
		s.world.mu.Unlock()
		s.call("release", func(ctx context.Context, l *life) error { return l.engine.ReleaseHold(ctx, "token:ann", h.id) })
	}
}

// jump sets the wall clock.
func (s *sim) jump(d time.Duration) {
	s.house.clocks.step(d)
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.jumps = append(s.world.jumps, time.Now())
}

// arm lets the daemon die at the n-th call of a kind from here.
func (s *sim) arm(kind string, n int, gap time.Duration) {
	if s.life == nil {
		return
	}
	s.gap = gap
	s.life.door.arm(kind, n)
}

func (s *sim) kill(gap time.Duration, reboot bool) {
	if s.life == nil {
		return
	}
	s.gap = gap
	s.fell(reboot)
}

// restart is a stop in order and a start.
func (s *sim) restart(gap time.Duration) {
	l := s.life
	if l == nil {
		return
	}
	l.door.arm("", 0)
	s.err("stopping", l.stop())
	s.life = nil
	s.pause(gap)
	s.begin()
}

// ask is a direct action.
func (s *sim) ask(verb, name string) {
	s.call("action", func(ctx context.Context, l *life) error {
		_, err := l.engine.CreateAction(ctx, "token:bob", engine.ActionRequest{Target: name, Action: verb, Queue: true, Reason: "the script says so"})
		return err
	})
}

// person says a word about one of the newest remediations that it can be said of.
func (s *sim) person(word string, odd int) {
	states := map[string][]remedy.State{
		"cancel":  {remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying},
		"retry":   {remedy.Failed, remedy.Refused, remedy.Cancelled, remedy.GaveUp},
		"approve": {remedy.Queued, remedy.Held},
	}[word]
	s.call(word, func(ctx context.Context, l *life) error {
		f := engine.RemediationFilter{States: states, Limit: 10}
		if word == "approve" {
			f.Policy = "ask"
		}
		rs, _, err := l.ledger.Remediations(ctx, f)
		if err != nil || len(rs) == 0 {
			return err
		}
		r := rs[odd%len(rs)]
		s.swayed[r.ID] = true
		switch word {
		case "cancel":
			_, err = l.engine.CancelAction(ctx, "token:ann", r.ID, "the script says so")
		case "retry":
			_, err = l.engine.RetryAction(ctx, "token:ann", r.ID)
		case "approve":
			s.world.mu.Lock()
			s.world.yes[r.ID] = true // the yes may be on disk although nobody heard so
			s.world.mu.Unlock()
			_, err = l.engine.ApproveAction(ctx, "token:ann", r.ID)
		}
		s.tell("%s of remediation %d: %v", word, r.ID, err)
		return err
	})
}

// judge says what became of every act that nobody saw the end of.
func (s *sim) judge(done bool) {
	s.call("judge", func(ctx context.Context, l *life) error {
		rs, _, err := l.ledger.Remediations(ctx, engine.RemediationFilter{States: []remedy.State{remedy.Indeterminate}, Limit: 20})
		for _, r := range rs {
			s.swayed[r.ID] = true
			s.world.mu.Lock()
			s.world.word[r.ID] = true
			s.world.mu.Unlock()
			if _, rerr := l.engine.ResolveAction(ctx, "token:ann", r.ID, done, "the script says so"); rerr != nil {
				return rerr
			}
		}
		return err
	})
}

func (s *sim) enable(name string, on bool) {
	if !on { // from the answer on
		defer s.setOff(name, s.call("disable", func(ctx context.Context, l *life) error {
			_, err := l.engine.EnablePolicy(ctx, "token:ann", name, false)
			return err
		}))
		return
	}
	s.setOff(name, false)
	s.call("enable", func(ctx context.Context, l *life) error {
		_, err := l.engine.EnablePolicy(ctx, "token:ann", name, true)
		return err
	})
}

func (s *sim) setOff(name string, off bool) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.off[name] = off
}

func (s *sim) drop(name string) {
	if s.call("delete", func(ctx context.Context, l *life) error { return l.engine.DeletePolicy(ctx, "token:ann", name) }) {
		s.setOff(name, true)
	}
}

// putAll puts every policy in force as it was written first.
func (s *sim) putAll() {
	for p := range s.world.rules.terms {
		s.setOff(p, false)
	}
	for _, text := range s.texts {
		s.call("put", func(ctx context.Context, l *life) error { return l.put(ctx, text) })
	}
}
