package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/document"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04 MST", text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWindow: over midnight, in a zone, over both changes of daylight saving.
func TestWindow(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		span, moment string
		zone         *time.Location
		want         bool
	}{
		{"08:00-18:00", "2026-11-29 08:00 UTC", time.UTC, true},
		{"08:00-18:00", "2026-11-29 17:59 UTC", time.UTC, true},
		{"08:00-18:00", "2026-11-29 18:00 UTC", time.UTC, false},
		{"Mon-Fri 08:00-18:00", "2026-11-29 12:00 UTC", time.UTC, false}, // a Sunday
		{"Sat,Sun 08:00-18:00", "2026-11-29 12:00 UTC", time.UTC, true},
		{"Fri-Mon 08:00-18:00", "2026-11-29 12:00 UTC", time.UTC, true},
		{"Sat 22:00-06:00", "2026-11-29 05:59 UTC", time.UTC, true}, // began on Saturday
		{"Sat 22:00-06:00", "2026-11-28 05:59 UTC", time.UTC, false},
		{"Sat 22:00-06:00", "2026-11-28 22:00 UTC", time.UTC, true},
		{"Sun 22:00-06:00", "2026-11-30 03:00 UTC", time.UTC, true},
		{"00:00-24:00", "2026-11-29 23:59 UTC", time.UTC, true},
		{"00:00-00:00", "2026-11-29 12:00 UTC", time.UTC, true},
		{"Sun 00:00-24:00", "2026-11-30 00:00 UTC", time.UTC, false},
		{"08:00-09:00", "2026-07-01 06:30 UTC", berlin, true},
		{"08:00-09:00", "2026-01-01 06:30 UTC", berlin, false},
		{"02:00-03:00", "2026-03-29 00:59 UTC", berlin, false}, // the hour that is skipped: never
		{"02:00-03:00", "2026-03-29 01:00 UTC", berlin, false},
		{"02:00-03:00", "2026-10-25 00:30 UTC", berlin, true}, // the hour that comes twice: both
		{"02:00-03:00", "2026-10-25 01:30 UTC", berlin, true},
		{"02:00-03:00", "2026-10-25 02:00 UTC", berlin, false},
	} {
		s, err := ParseSpan(c.span)
		if err != nil {
			t.Fatal(err)
		}
		if got := Active([]Span{s}, c.zone, at(t, c.moment)); got != c.want {
			t.Errorf("%s at %s (%v) is %v, want %v", c.span, c.moment, c.zone, got, c.want)
		}
	}
	for _, bad := range []string{"", "Mon", "Mon 08:00", "08:00-25:00", "8-18", "Foo 08:00-18:00", "Mon-Foo 08:00-18:00", "24:00-06:00", "08:60-09:00", "08:0-09:00", "a b c"} {
		if _, err := ParseSpan(bad); err == nil {
			t.Errorf("%q passes for a window", bad)
		}
	}
}

func TestParse(t *testing.T) {
	jitter := func(d time.Duration) *document.Duration { x := document.Duration(d); return &x }
	for _, c := range []struct {
		every  string
		jitter *document.Duration
		ok     bool
		want   Schedule
	}{
		{"10s", nil, true, Schedule{Every: 10 * time.Second, Jitter: time.Second}},
		{"1h", nil, true, Schedule{Every: time.Hour, Jitter: 30 * time.Second}},
		{"1h", jitter(time.Minute), true, Schedule{Every: time.Hour, Jitter: time.Minute}},
		{"*/5 * * * *", nil, true, Schedule{Cron: "*/5 * * * *"}},
		{"@daily", nil, true, Schedule{Cron: "@daily"}},
		{"10s", jitter(time.Minute), false, Schedule{}},
		{"10", nil, false, Schedule{}},
		{"500ms", nil, false, Schedule{}},
		{"", nil, false, Schedule{}},
		{"* * * *", nil, false, Schedule{}},
		{"* * * * * *", nil, false, Schedule{}},
		{"61 * * * *", nil, false, Schedule{}},
		{"0 0 31 2 *", nil, false, Schedule{}},
		{"@nonsense", nil, false, Schedule{}},
	} {
		got, err := Parse(c.every, c.jitter, nil)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%q gave %+v, %v; want %+v, ok %v", c.every, got, err, c.want, c.ok)
		}
	}
}

// TestEveryTicksAreExact: however late a round comes, the next tick lies in the
// future, on the grid, less than one interval ahead; and the ticks told as
// missed are those that passed.
func TestEveryTicksAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "every"))
		s := Schedule{Every: every, Zone: time.UTC, Jitter: every / 10}
		start := time.Unix(1_700_000_000, 0)
		p := Start(s, rapid.String().Draw(t, "name"), start, start)
		due := p.First(start, start)
		if due.Before(start) || due.Sub(start) >= every {
			t.Fatalf("first at %v", due.Sub(start))
		}
		first, now, ran, missed := due, due, 0, 0
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			now = due.Add(time.Duration(rapid.Int64Range(0, int64(5*every)).Draw(t, "late")))
			ran++
			next, m := p.After(due, now, start)
			if !next.After(now) || next.Sub(now) > every || next.Sub(first)%every != 0 {
				t.Fatalf("next is %v after now, %v off the grid", next.Sub(now), next.Sub(first)%every)
			}
			missed += m
			due = next
		}
		if want := int(due.Sub(first) / every); ran+missed != want {
			t.Fatalf("%d rounds and %d missed of %d ticks", ran, missed, want)
		}
	})
}

// TestOffsetIsItsOwn: the jitter follows from the name and stays below its bound.
func TestOffsetIsItsOwn(t *testing.T) {
	s := Schedule{Every: time.Minute, Jitter: 6 * time.Second}
	seen := map[time.Duration]bool{}
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		o := s.offset(n)
		if o != s.offset(n) || o < 0 || o >= s.Jitter {
			t.Errorf("%s: %v", n, o)
		}
		seen[o] = true
	}
	if len(seen) < 4 {
		t.Errorf("five names share %d places", len(seen))
	}
}
