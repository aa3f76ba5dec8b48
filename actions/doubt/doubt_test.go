package doubt_test

import (
	"slices"
	"testing"

	"vigil/actions"
	"vigil/actions/catalogue"
	"vigil/actions/doubt"
	"vigil/actions/heal"
	"vigil/actions/supervise"
	"vigil/actions/units/unitstest"
	"vigil/engine/remedy"
)

// TestOf_WhatIsNowhereIsDoubted: a unit or a process that is not there is told with
// its place; what depends on the firing, what is no unit, and what nobody can be
// asked of are not doubted.
func TestOf_WhatIsNowhereIsDoubted(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "inactive", 1)
	p.Unit("masked.service", "masked", "inactive", 1)
	p.Alias("www.service", "web.service")
	set := func(bus string) *actions.Set {
		s, err := actions.New(actions.Config{DataDir: t.TempDir(), Bus: bus, Heal: heal.Config{Processes: true},
			Processes: []supervise.Process{{Name: "worker", Argv: []string{"/bin/true"}}},
			Catalogue: map[string]catalogue.Entry{"own": {Kind: "exec", Argv: []string{"/bin/true"}, Subject: "systemd:none.service"}}}, actions.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	type with = map[string]any
	plan := &remedy.Plan{Ladder: []remedy.Rung{
		{Action: "service", With: with{"unit": "web"}},
		{Action: "service", With: with{"unit": "www.service"}},
		{Action: "service", With: with{"unit": "masked"}},
		{Action: "service", With: with{"unit": "none"}},
		{Action: "service", With: with{"unit": "{{ labels.service }}"}},
		{Action: "service", With: with{"unit": "a/b"}},
		{Action: "process", With: with{"process": "worker"}},
		{Action: "process", With: with{"process": "workr"}},
		{Action: "own"},
		{Action: "outside", With: with{"unit": "none"}},
	}}
	for bus, want := range map[string][]string{
		p.Address: {"/remedy/ladder/3/with/unit: there is no unit none.service on this host as things stand: the act fails until there is one",
			"/remedy/ladder/7/with/process: no process workr is kept as things stand: the act fails until there is one"},
		"unix:path=" + t.TempDir() + "/private": {"/remedy/ladder/7/with/process: no process workr is kept as things stand: the act fails until there is one"},
	} {
		s := set(bus)
		var got []string
		for _, x := range doubt.Of(t.Context(), s, s, plan) {
			got = append(got, x.Place+": "+x.Msg)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", bus, got)
		}
		if is := doubt.Of(t.Context(), s, s, nil); is != nil {
			t.Error(is)
		}
	}
}
