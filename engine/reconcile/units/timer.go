package units

import (
	"regexp"
	"strings"

	"vigil/engine/document"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/made"
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
	State            string            `yaml:"state"`      // running (default), stopped
	Enabled          *bool             `yaml:"enabled"`    // true by default
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
	for _, c := range v.OnCalendar {
		if len(c) > 200 || !calendar.MatchString(c) {
			s.Mend("onCalendar", "systemd-analyze calendar tells what is understood", "%q is no calendar expression", c)
		}
	}
	for field, d := range map[string]document.Duration{"onBoot": v.OnBoot, "every": v.Every, "randomizedDelay": v.RandomizedDelay} {
		if d < 0 {
			s.Bad(field, "%s is negative", field)
		}
	}
	timer := made.Timer{Unit: what, OnCalendar: v.OnCalendar, OnBoot: v.OnBoot, Every: v.Every, RandomizedDelay: v.RandomizedDelay, Persistent: v.Persistent}
	r.put("unitfile", timer.Text(r.key.Ref()))
	r.state["active"] = site.Truth(s.OneOf("state", v.State, "running", "stopped") == "running")
	r.state["enabled"] = site.Truth(v.Enabled == nil || *v.Enabled)
	r.implied()
	return r
}
