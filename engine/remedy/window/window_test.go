package window

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/fault"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	x, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestBar_MaintenanceOverMidnight: windows over midnight, in zones, and over
// both changes of the clock, are open exactly when a person would say so.
func TestBar_MaintenanceOverMidnight(t *testing.T) {
	const vienna, newYork = "Europe/Vienna", "America/New_York"
	for _, tc := range []struct {
		name, schedule, zone string
		length               time.Duration
		from, to             string // first moment open, first moment closed
	}{
		{"over midnight", "30 23 * * *", "", 2 * time.Hour, "2026-03-10T23:30:00Z", "2026-03-11T01:30:00Z"},
		{"over midnight on friday only", "0 22 * * 5", "UTC", 8 * time.Hour, "2026-03-13T22:00:00Z", "2026-03-14T06:00:00Z"},
		{"over the year", "0 23 31 12 *", "UTC", 3 * time.Hour, "2026-12-31T23:00:00Z", "2027-01-01T02:00:00Z"},
		{"leap day", "0 0 29 2 *", "UTC", time.Hour, "2028-02-29T00:00:00Z", "2028-02-29T01:00:00Z"},
		{"zone in winter", "0 3 * * *", vienna, time.Hour, "2026-01-20T02:00:00Z", "2026-01-20T03:00:00Z"},
		{"zone in summer", "0 3 * * *", vienna, time.Hour, "2026-07-20T01:00:00Z", "2026-07-20T02:00:00Z"},
		{"zone over its midnight", "30 23 * * *", newYork, time.Hour, "2026-01-21T04:30:00Z", "2026-01-21T05:30:00Z"},
		{"over the spring change lasts its length", "0 1 29 3 *", vienna, 3 * time.Hour, "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"},
		{"over the autumn change lasts its length", "0 1 25 10 *", vienna, 3 * time.Hour, "2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z"},
		{"a skipped time opens after the gap", "30 2 29 3 *", vienna, time.Hour, "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		{"a doubled time opens once", "30 2 25 10 *", vienna, 30 * time.Minute, "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"},
		{"half-hour zone", "0 4 * * *", "Asia/Kolkata", time.Hour, "2026-05-04T22:30:00Z", "2026-05-04T23:30:00Z"},
		{"longer than a day", "0 12 * * 6", "UTC", 36 * time.Hour, "2026-06-06T12:00:00Z", "2026-06-08T00:00:00Z"},
		{"named", "@weekly", "UTC", time.Hour, "2026-06-07T00:00:00Z", "2026-06-07T01:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from, to := at(t, tc.from), at(t, tc.to)
			for _, c := range []struct {
				at   time.Time
				open bool
			}{{from.Add(-time.Second), false}, {from, true}, {from.Add(to.Sub(from) / 2), true}, {to.Add(-time.Second), true}, {to, false}} {
				open, until, err := In(tc.schedule, tc.zone, tc.length, c.at)
				if err != nil || open != c.open || open && !until.Equal(to) {
					t.Errorf("at %s: open %v until %s, %v; want %v until %s", c.at, open, until, err, c.open, to)
				}
			}
		})
	}
}

// TestHourlyRunsThroughTheChange: a schedule of every hour has 23, 24 or 25
// openings a day, and every one is found.
func TestHourlyRunsThroughTheChange(t *testing.T) {
	s, err := Parse("0 * * * *", "Europe/Vienna", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []string{"2026-03-28T23:00:00Z", "2026-06-01T22:00:00Z", "2026-10-24T22:00:00Z"} {
		for h := range 26 {
			now := at(t, day).Add(time.Duration(h) * time.Hour)
			if open, _ := s.In(now); !open {
				t.Errorf("closed at %s", now)
			}
			if open, _ := s.In(now.Add(30 * time.Minute)); open {
				t.Errorf("open at %s", now.Add(30*time.Minute))
			}
		}
	}
}

// TestWindowAgainstMinutes compares with the plain definition: a window is open
// when some minute within its length before now is one the schedule names.
// Zones without changes leave no room for interpretation.
func TestWindowAgainstMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minute, hour := rapid.IntRange(0, 59).Draw(t, "m"), rapid.IntRange(0, 23).Draw(t, "h")
		weekday := rapid.SampledFrom([]string{"*", "1-5", "0", "6,0"}).Draw(t, "dow")
		length := time.Duration(rapid.IntRange(1, 2000).Draw(t, "len")) * time.Minute
		zone := rapid.SampledFrom([]string{"UTC", "Asia/Kolkata", "Etc/GMT+11"}).Draw(t, "zone")
		now := time.Unix(1_780_000_000+rapid.Int64Range(0, 40_000_000).Draw(t, "now"), 0)
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		days := map[string][]time.Weekday{"*": {0, 1, 2, 3, 4, 5, 6}, "1-5": {1, 2, 3, 4, 5}, "0": {0}, "6,0": {0, 6}}[weekday]
		want := false
		for m := now.Truncate(time.Minute); now.Sub(m) < length; m = m.Add(-time.Minute) {
			l := m.In(loc)
			for _, d := range days {
				want = want || l.Hour() == hour && l.Minute() == minute && l.Weekday() == d
			}
		}
		open, until, err := In(itoa(minute)+" "+itoa(hour)+" * * "+weekday, zone, length, now)
		if err != nil || open != want || open && (!until.After(now) || until.Sub(now) > length) {
			t.Fatalf("open %v until %s %v, want %v", open, until, err, want)
		}
	})
}

func itoa(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		schedule, zone string
		length         time.Duration
	}{
		{"", "", time.Hour}, {"* * * *", "", time.Hour}, {"61 * * * *", "", time.Hour}, {"0 25 * * *", "", time.Hour},
		{"* * * * * *", "", time.Hour}, {"@reboot", "", time.Hour}, {"0 0 * * *", "Nowhere/Town", time.Hour},
		{"0 0 * * *", "Local", time.Hour}, {"0 0 * * *", "", 0}, {"0 0 * * *", "", 40 * 24 * time.Hour}, {"0 0 * * *", "../../etc/passwd", time.Hour},
	} {
		if _, err := Parse(tc.schedule, tc.zone, tc.length); err == nil {
			t.Errorf("%q %q %s was taken", tc.schedule, tc.zone, tc.length)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("30 23 * * 1-5", "Europe/Vienna", int64(1_780_000_000))
	f.Add("*/7 1-5 L * 2#3", "UTC", int64(0))
	f.Add("0 0 30 2 *", "UTC", int64(-1))
	f.Fuzz(func(t *testing.T, schedule, zone string, now int64) {
		open, until, err := In(schedule, zone, time.Hour, time.Unix(now%(1<<40), 0))
		if err == nil && open && until.Sub(time.Unix(now%(1<<40), 0)) > time.Hour {
			t.Fatalf("open for longer than its length: %s", until)
		}
	})
}

// TestWindowThatNeverComesIsRefused: when it is written, and not when one that was
// written by an older vigild is asked about.
func TestWindowThatNeverComesIsRefused(t *testing.T) {
	for schedule, comes := range map[string]bool{
		"0 3 31 2 *": false, "0 3 30 2 *": false, "0 3 31 4,6,9,11 *": false, "0 3 31 feb *": false,
		"0 3 29 2 *": true, "0 3 31 1,2 *": true, "0 3 31 * *": true, "0 3 31 2 1": true, "0 3 * 2 *": true, "@yearly": true, "*/5 * * * *": true, "0 3 L 2 *": true, "0 3 29 2 */2": true,
	} {
		_, err := Parse(schedule, "UTC", time.Hour)
		if (err == nil) != comes || err != nil && fault.KindOf(err) != fault.Unprocessable {
			t.Errorf("%s: %v", schedule, err)
		}
		if _, _, err := In(schedule, "UTC", time.Hour, time.Now()); err != nil {
			t.Errorf("asked about %s: %v", schedule, err)
		}
	}
}
