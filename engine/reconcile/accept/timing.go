package accept

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/made"
	"vigil/engine/reconcile/manifest"
)

type node = document.Node

// put makes a field of the spec say a value, if it does not yet; without is what
// it is when it is not there.
func (a *acceptor) put(at, field, v, without string, word bool) {
	n := a.spec(field)
	switch {
	case cmp.Or(n.Text(), without) == v:
	case v == without && !n.Absent():
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{field}, Op: manifest.Remove})
	default:
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{field}, Value: v, Word: word, From: at})
	}
}

// list does so for a list of texts.
func (a *acceptor) list(at, field string, want []string) {
	var is []string
	for _, n := range a.spec(field).Items() {
		is = append(is, n.Text())
	}
	switch {
	case slices.Equal(is, want):
	case len(want) == 0:
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{field}, Op: manifest.Remove})
	default:
		whole := make([]any, len(want))
		for i, w := range want {
			whole[i] = w
		}
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{field}, Whole: whole, From: at})
	}
}

// length does so for a length of time.
func (a *acceptor) length(at, field string, want document.Duration) {
	is, _ := document.ParseDuration(cmp.Or(a.spec(field).Text(), "0"))
	switch {
	case is == want:
	case want == 0:
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{field}, Op: manifest.Remove})
	default:
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{field}, Value: want.String(), From: at})
	}
}

func (a *acceptor) differs(field, found string) bool {
	return slices.ContainsFunc(a.diffs, func(d reconcile.Difference) bool { return d.Field == field && d.Found == found })
}

func (a *acceptor) timer(d reconcile.Difference) error {
	name := strings.TrimSuffix(cmp.Or(a.spec("timer").Text(), a.doc.Name), ".timer")
	at := "/etc/systemd/system/" + name + ".timer"
	switch {
	case reconcile.Mode(a.spec("mode").Text()) == reconcile.Absent:
		return a.left(d, "it is there and should not be; write a document that wants it")
	case d.Field == "active":
		a.put("", "state", map[bool]string{true: "running", false: "stopped"}[d.Found == reconcile.Yes], "running", false)
		return a.accept(d)
	case d.Field == "enabled" && (d.Found == reconcile.Yes || d.Found == reconcile.No):
		a.put("", "enabled", map[bool]string{true: "true", false: "false"}[d.Found == reconcile.Yes], "true", true)
		return a.accept(d)
	case d.Field == "unitfile" && d.Found == "":
		if !a.stopped() {
			return a.left(d, "the file is gone, and systemd still has the timer")
		}
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"mode"}, Value: string(reconcile.Absent)})
		return a.accept(d)
	case d.Field == "unitfile" && len(d.Found) == 64:
		text, err := a.content(at)
		if err != nil {
			return err
		}
		t, ok := made.ReadTimer("Timer/"+a.doc.Name, text)
		if !ok {
			return a.left(d, "no Timer writes such a file; take it over with vigild adopt, as a Service of this unit")
		}
		if reconcile.UnitName(a.spec("unit").Text()) != t.Unit {
			a.put(at, "unit", t.Unit, "", false)
		}
		a.list(at, "onCalendar", t.OnCalendar)
		a.length(at, "onBoot", t.OnBoot)
		a.length(at, "every", t.Every)
		a.length(at, "randomizedDelay", t.RandomizedDelay)
		a.put(at, "persistent", map[bool]string{true: "true", false: "false"}[t.Persistent], "false", true)
		return a.accept(d)
	}
	return a.left(d, "it follows from the rest")
}

// stopped says that a timer neither runs nor is enabled, as found or as the
// document has it.
func (a *acceptor) stopped() bool {
	active := a.differs("active", reconcile.No) || a.differs("active", "failed") || a.spec("state").Text() == "stopped" && !a.differs("active", reconcile.Yes)
	enabled := a.differs("enabled", reconcile.No) || a.spec("enabled").Text() == "false" && !a.differs("enabled", reconcile.Yes)
	return active && enabled
}

func (a *acceptor) cron(d reconcile.Difference) error {
	at := "/etc/cron.d/" + a.doc.Name
	switch {
	case d.Field == reconcile.Exists:
		_, err := a.attribute(d)
		return err
	case d.Field != "sha256":
		return a.left(d, "a file of cron is root's and readable by all, or cron does not read it")
	}
	text, err := a.content(at)
	if err != nil {
		return err
	}
	c, ok := made.ReadCron("Cron/"+a.doc.Name, text)
	if !ok {
		return a.left(d, "no Cron writes such a file; take it over with vigild adopt "+at+", as a File")
	}
	if !manifest.Inline(text) {
		return fault.New(fault.Unprocessable, "%s holds bytes that are no text", at).At(a.doc.Place)
	}
	if strings.Join(strings.Fields(a.spec("schedule").Text()), " ") != c.Schedule {
		a.put(at, "schedule", c.Schedule, "", false)
	}
	a.put(at, "user", c.User, "root", false)
	a.list(at, "command", c.Command)
	a.env(at, c.Env)
	return a.accept(d)
}

// env makes the variables of the document those of the file.
func (a *acceptor) env(at string, want map[string]string) {
	has := a.spec("env")
	if len(want) == 0 {
		if len(has.Keys()) > 0 {
			a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"env"}, Op: manifest.Remove})
		}
		return
	}
	if len(has.Keys()) == 0 {
		whole := map[string]any{}
		for k, v := range want {
			whole[k] = v
		}
		a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"env"}, Whole: whole, From: at})
		return
	}
	// What is new goes first: a mapping must not be empty on the way.
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if n := has.Get(k); n.Absent() || n.Text() != want[k] {
			a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"env", k}, Value: want[k], From: at})
		}
	}
	for _, k := range has.Keys() {
		if _, ok := want[k]; !ok {
			a.out.Sets = append(a.out.Sets, manifest.Set{Path: []string{"env", k}, Op: manifest.Remove})
		}
	}
}
