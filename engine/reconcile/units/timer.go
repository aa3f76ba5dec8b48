package units

import (
	"regexp"
	"strings"

	"vigil/engine/document"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// timerSpec is a document of kind Timer: a timer of systemd that starts a unit
// which is there already. No command stands in it.
type timerSpec struct {
	reconcile.Common `yaml:",inline"`
	Timer            string            `yaml:"timer"` // the document's name by default
	Unit             string            `yaml:"unit"`  // what it starts
	OnCalendar       []string          `yaml:"onCalendar"`
	OnBoot           document.Duration `yaml:"onBoot"`
	Every            document.Duration `yaml:"every"` // after the unit, or else the timer, was last started
	RandomizedDelay  document.Duration `yaml:"randomizedDelay"`
	Persistent       bool              `yaml:"persistent"` // a run that was missed is made up for
}

var calendar = regexp.MustCompile(`^[A-Za-z0-9*/,:.~ -]+$`)

// Timer reads a document of this kind.
func Timer(s *site.Site) site.Resource {
	v := timerSpec{Common: s.Common}
	s.Decode(&v)
	s.Common = v.Common
	name := strings.TrimSuffix(v.Timer, ".timer")
	if name == "" {
		name = strings.TrimSuffix(s.Doc.Name, ".timer")
	}
	r := newService(s, name+".timer")
	r.absent = v.Mode == reconcile.Absent
	what := newService(s, v.Unit).unit
	if reconcile.Powerful(what) {
		s.AsCommand("unit", what+", which ends all that runs or opens a shell,")
	}
	if v.Unit == "" {
		s.Bad("unit", "unit is missing: the timer has to start something")
	}
	if len(v.OnCalendar) == 0 && v.OnBoot == 0 && v.Every == 0 {
		s.Bad("unit", "one of onCalendar, onBoot and every says when")
	}
	var b strings.Builder
	b.WriteString("# kept by vigild: " + r.key.Ref() + "\n[Unit]\nDescription=starts " + what + "\n\n[Timer]\nUnit=" + what + "\n")
	for _, c := range v.OnCalendar {
		if len(c) > 200 || !calendar.MatchString(c) {
			s.Mend("onCalendar", "systemd-analyze calendar tells what is understood", "%q is no calendar expression", c)
		}
		b.WriteString("OnCalendar=" + c + "\n")
	}
	for field, d := range map[string]document.Duration{"onBoot": v.OnBoot, "every": v.Every, "randomizedDelay": v.RandomizedDelay} {
		if d < 0 {
			s.Bad(field, "%s is negative", field)
		}
	}
	for _, x := range []struct {
		key string
		d   document.Duration
	}{
		// A unit that was never started has no time to count from: the timer's own start is the first.
		{"OnBootSec", v.OnBoot}, {"OnActiveSec", v.Every}, {"OnUnitActiveSec", v.Every}, {"RandomizedDelaySec", v.RandomizedDelay},
	} {
		if x.d > 0 {
			b.WriteString(x.key + "=" + span(x.d) + "\n")
		}
	}
	if v.Persistent {
		b.WriteString("Persistent=true\n")
	}
	b.WriteString("\n[Install]\nWantedBy=timers.target\n")
	r.put("unitfile", []byte(b.String()))
	r.state["active"], r.state["enabled"] = reconcile.Yes, reconcile.Yes
	r.implied()
	return r
}

// span is a duration with a space between its units, as systemd writes it.
func span(d document.Duration) string {
	var b strings.Builder
	text := d.String()
	for i, c := range text {
		if i > 0 && c >= '0' && c <= '9' && (text[i-1] < '0' || text[i-1] > '9') {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}
