package handsoff

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vigil/actions/units"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// book is holds in memory.
type book struct {
	holds []engine.Hold
	err   error
	next  byte
}

func (b *book) PutHold(_ context.Context, actor string, h engine.Hold) (engine.Hold, error) {
	if b.err != nil {
		return h, b.err
	}
	b.next++
	h.ID, h.Actor = string('a'+b.next-1), actor
	b.holds = append(b.holds, h)
	return h, nil
}

func (b *book) ReleaseHold(_ context.Context, _, id string) error {
	n := len(b.holds)
	b.holds = slices.DeleteFunc(b.holds, func(h engine.Hold) bool { return h.ID == id })
	if len(b.holds) == n {
		return fault.New(fault.NotFound, "no hold %s", id)
	}
	return nil
}

func (b *book) Holds() []engine.Hold { return slices.Clone(b.holds) }

func (b *book) subjects() (out []string) {
	for _, h := range b.holds {
		out = append(out, h.Actor+" "+h.Subject)
	}
	return out
}

// systemd is made-up words: each value of broken ends the watch once.
type systemd struct {
	words  chan units.Change
	broken chan error
	runs   map[string]bool
}

func (s *systemd) Watch(ctx context.Context, up func(), tell func(units.Change)) error {
	up()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.broken:
			return err
		case c := <-s.words:
			tell(c)
		}
	}
}

func (s *systemd) Running(_ context.Context, unit string) (bool, error) {
	up, known := s.runs[unit]
	if !known {
		return false, errors.New("systemd is away")
	}
	return up, nil
}

func (*systemd) Recorded(string) {}

// keeper runs a Keeper over made-up words; say tells one and waits until it was
// taken in.
func keeper(t *testing.T, b *book, runs map[string]bool) (say func(string, bool), broken chan error) {
	s := &systemd{make(chan units.Change), make(chan error), runs}
	now := clock.Stamp{Wall: 1_000_000, Boot: 1_000}
	k, err := New(Deps{Book: b, Clock: func() clock.Stamp { return now }, Units: s})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	synctest.Wait()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(unit string, stopped bool) {
		s.words <- units.Change{Unit: unit, Stopped: stopped}
		synctest.Wait()
	}, s.broken
}

// TestHandsOff_FollowsThePerson: a stop is a hold of a day on the unit's subject,
// a second one replaces it, a start releases it; what people said themselves is
// not touched.
func TestHandsOff_FollowsThePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := engine.Hold{ID: "own", Kind: engine.HoldHandsOff, Actor: "ann", Subject: "systemd:web.service"}
		b := &book{holds: []engine.Hold{own}}
		say, _ := keeper(t, b, nil)
		say("web.service", true)
		say("db.service", true)
		if got := b.subjects(); !slices.Equal(got, []string{"ann systemd:web.service", "systemd systemd:web.service", "systemd systemd:db.service"}) {
			t.Fatalf("holds %q", got)
		}
		if h := b.holds[1]; h.Kind != engine.HoldHandsOff || h.Reason == "" || time.Duration(h.Until.Boot-1_000) != longest {
			t.Errorf("hold %+v", h)
		}
		say("web.service", true)
		if h := b.holds[len(b.holds)-1]; len(b.holds) != 3 || h.ID != "c" {
			t.Errorf("a second stop: %q", b.subjects())
		}
		say("web.service", false)
		say("other.service", false)
		if got := b.subjects(); !slices.Equal(got, []string{"ann systemd:web.service", "systemd systemd:db.service"}) {
			t.Errorf("after the start: %q", got)
		}
	})
}

// TestHandsOff_CatchesUp: what was started while nobody listened is released when
// the connection is there again; what cannot be looked at stays left alone.
func TestHandsOff_CatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		runs := map[string]bool{"web.service": false, "db.service": false}
		say, broken := keeper(t, b, runs)
		for _, u := range []string{"web.service", "db.service", "gone.service"} {
			say(u, true)
		}
		runs["web.service"] = true
		broken <- fault.New(fault.Unavailable, "systemd was restarted")
		time.Sleep(3 * time.Second) // of the test's own clock
		synctest.Wait()
		if got := b.subjects(); !slices.Equal(got, []string{"systemd systemd:db.service", "systemd systemd:gone.service"}) {
			t.Errorf("holds %q", got)
		}
		b.err = errors.New("disk full")
		say("web.service", true)
		if len(b.holds) != 2 {
			t.Errorf("holds %q", b.subjects())
		}
	})
}

// TestHandsOff_WithoutSystemdRests: nothing to hear is no failure.
func TestHandsOff_WithoutSystemdRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, broken := keeper(t, &book{}, nil)
		broken <- fault.New(fault.Unsupported, "no systemd")
		synctest.Wait()
	})
}
