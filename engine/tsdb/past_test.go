package tsdb

import (
	"context"
	"slices"
	"testing"
	"time"

	"vigil/engine/series"
)

// TestPastIsWhatChecksLeftStanding: over a crash and over a stop, with what is in the
// log alone and with what was cut, each check has just what it wrote last and did not
// end, whoever wrote it before.
func TestPastIsWhatChecksLeftStanding(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*rig)
	}{
		{"crash", func(r *rig) { r.die() }},
		{"cut and crash", func(r *rig) { r.cut(); r.die() }},
		{"stop", func(r *rig) { r.stop() }},
		{"era, crash", func(r *rig) { r.die(); r.clock.step(-48 * time.Hour) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			by := func(check string) func(*series.Batch) {
				return func(b *series.Batch) { b.Own, b.Token = true, check }
			}
			now := r.clock.ms()
			write := func(check, metric string, v float64) {
				t.Helper()
				now++
				r.mustPush(name(metric), now, v, by(check))
			}
			for _, m := range []string{"stands", "ends", "moves", "returns"} {
				write("a", m, 1)
			}
			r.mustPush(name("pushed"), now, 1, func(b *series.Batch) { b.Token = "a" })
			r.mustPush(name("nobodys"), now, 1, by(""))
			r.mustPush(name("taken"), now, 1, func(b *series.Batch) { b.Token = "t" })
			write("b", "taken", 1)
			write("a", "ends", series.Stale())
			write("a", "returns", series.Stale())
			write("a", "returns", 2)
			write("b", "moves", 1)
			// Who does not say which check it is takes nothing from one.
			r.mustPush(name("stands"), now+1, 2, by(""))
			standing := func(check string, there ...string) (out []string) {
				p := r.s.Past()
				for _, ls := range p.Standing(context.Background(), check, func(fp uint64) bool {
					return slices.ContainsFunc(there, func(m string) bool { return name(m).Fingerprint() == fp })
				}) {
					out = append(out, ls.Name())
				}
				if again := p.Standing(context.Background(), check, func(uint64) bool { return false }); len(again) > 0 {
					t.Errorf("%s is answered twice: %v", check, again)
				}
				slices.Sort(out)
				return out
			}
			want := func(when, check string, got []string, want ...string) {
				t.Helper()
				if !slices.Equal(got, want) {
					t.Errorf("%s: standing of %s is %v, want %v", when, check, got, want)
				}
			}
			for range 2 {
				c.end(r)
				r.start(0)
				if got := r.s.Past().Names(); !slices.Equal(got, []string{"a", "b"}) {
					t.Fatalf("checks are %v", got)
				}
				want("after", "a", standing("a"), "returns", "stands")
				want("after", "b", standing("b"), "moves", "taken")
				want("after", "another", standing("c"))
				want("one is there", "a", standing("a", "stands"), "returns")
			}
			now = r.clock.ms() + 100
			write("b", "stands", 3)
			write("b", "taken", series.Stale())
			want("since", "a", standing("a"), "returns")
			want("since", "b", standing("b"), "moves", "stands")
		})
	}
}

// TestSeriesThatTwoChecksWrite: a series that checks write in turn does not change hands,
// and is defined anew in the log, at each turn; it is nobody's then, and the next start
// ends it for none of them.
func TestSeriesThatTwoChecksWrite(t *testing.T) {
	r := newRig(t)
	now, changes, whose := r.clock.ms(), 0, []string{"a"}
	for i := range 20 {
		r.mustPush(name("both"), now+int64(i), 1, func(b *series.Batch) { b.Own, b.Token = true, []string{"a", "b"}[i%2] })
		if is := r.s.Past().Names(); !slices.Equal(is, whose) {
			changes, whose = changes+1, is
		}
	}
	if changes > 2 {
		t.Errorf("it changed hands %d times", changes)
	}
	for range 2 {
		if got := r.s.Past().Names(); len(got) > 0 {
			t.Errorf("it is called that of %v", got)
		}
		r.die()
		r.start(0)
	}
	r.mustPush(name("both"), r.clock.ms()+1000, 1, func(b *series.Batch) { b.Own, b.Token = true, "b" })
	if got := r.s.Past().Names(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("that of %v after one of them was left", got)
	}
}
