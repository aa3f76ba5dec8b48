package internal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vigil/actions"
	"vigil/actions/heal"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/world"
)

// otherInit is a rig on a made-up machine without systemd. The programs of its init
// system do to files what the real ones do.
func otherInit(t *testing.T, root string, files map[string]string) *rig {
	for p, text := range files {
		p = filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(strings.ReplaceAll(text, "ROOT", root)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	acts, err := actions.New(actions.Config{DataDir: t.TempDir(), Root: root, CgroupRoot: "off", Heal: heal.Config{Units: true}},
		actions.Deps{Log: slog.New(slog.DiscardHandler), Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Config{}, world.Deps{State: acts.UnitState})
	if err != nil {
		t.Fatal(err)
	}
	trust := reconcile.Trust{Kinds: []string{"Service", "Timer"}, Paths: []string{root}, Commands: true}
	return &rig{t: t, world: w, acts: acts, trust: trust, last: map[string]reconcile.State{}}
}

func openRC(t *testing.T, root string) *rig {
	return otherInit(t, root, map[string]string{
		"etc/init.d/web": "", "etc/runlevels/default/x": "", "run/openrc/started/x": "",
		"sbin/rc-service": "#!/bin/sh\ncd ROOT/run/openrc || exit 1\ncase $2 in\nstart|restart) ln -sfn /etc/init.d/$1 started/$1 ;;\n*) rm -f started/$1 ;;\nesac\n",
		"sbin/rc-update":  "#!/bin/sh\ncd ROOT/etc/runlevels || exit 1\ncase $1 in\nadd) ln -s /etc/init.d/$2 $3/$2 ;;\n*) rm $3/$2 ;;\nesac\n",
	})
}

func sysV(t *testing.T, root string) *rig {
	return otherInit(t, root, map[string]string{
		"etc/rc3.d/README":     "",
		"etc/init.d/web":       "#!/bin/sh\ncase $1 in\nstatus) [ -e ROOT/lock ] || exit 3 ;;\nstart) : >ROOT/lock ;;\nstop) rm -f ROOT/lock ;;\nesac\n",
		"usr/sbin/update-rc.d": "#!/bin/sh\ncd ROOT/etc/rc3.d || exit 1\nrm -f ???web\ncase $2 in\ndisable) ln -s ../init.d/web K01web ;;\n*) ln -s ../init.d/web S01web ;;\nesac\n",
	})
}

const wantsWeb = "apiVersion: vigil/v1\nkind: Service\nmetadata: {name: web}\nspec: {%s}\n"

// TestConverge_AServiceOfAnotherInitSystem: what a document wants of it is done by
// the real actions, seen by the real look, and done again after others undid it.
func TestConverge_AServiceOfAnotherInitSystem(t *testing.T) {
	for _, tc := range []struct {
		name      string
		make      func(*testing.T, string) *rig
		stop, off string
	}{
		{"openrc", openRC, "run/openrc/started/web", "etc/runlevels/default/web"},
		{"sysv", sysV, "lock", "etc/rc3.d/S01web"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			r := tc.make(t, root)
			there := func(p string) bool { _, err := os.Lstat(filepath.Join(root, p)); return err == nil }
			check := func(what string, set *reconcile.Set, differed []string, on bool) {
				t.Helper()
				if got := r.round(set); !slices.Equal(got, differed) || there(tc.stop) != on || there(tc.off) != on {
					t.Errorf("%s: %v; runs %v, at boot %v", what, got, there(tc.stop), there(tc.off))
				}
				if got := r.round(set); len(got) > 0 {
					t.Errorf("%s: a second round finds %v", what, got)
				}
			}
			on := r.load(fmt.Sprintf(wantsWeb, "state: running, enabled: true"))
			check("at first", on, []string{"Service/web active pending", "Service/web enabled pending"}, true)
			for _, p := range []string{tc.stop, tc.off} {
				if err := os.Remove(filepath.Join(root, p)); err != nil {
					t.Fatal(err)
				}
			}
			check("after others", on, []string{"Service/web active drift", "Service/web enabled drift"}, true)
			check("the other way", r.load(fmt.Sprintf(wantsWeb, "state: stopped, enabled: false")), []string{"Service/web active pending", "Service/web enabled pending"}, false)
		})
	}
}

// TestConverge_WhatAnotherInitSystemCannotSayIsRefused: before anything is done, and
// with the name of the field.
func TestConverge_WhatAnotherInitSystemCannotSayIsRefused(t *testing.T) {
	for _, tc := range []struct {
		make       func(*testing.T, string) *rig
		spec, says string
	}{
		{openRC, "masked: true", "kept by openrc here, which has no word for masked"},
		{openRC, "masked: false, state: stopped", ""},
		{openRC, `state: running, file: "[Service]\n"`, "has no word for file"},
		{openRC, `dropIns: {a.conf: "x", b.conf: "x"}, masked: true`, "has no word for dropIns, masked"},
		{openRC, "state: running, config: [/etc/web.conf]", ""},
		{sysV, "state: running, config: [/etc/web.conf]", "kept by sysv here, which has no word for config"},
		{sysV, "unit: web.socket, state: running", "web.socket is a thing of systemd"},
		{sysV, "unit: other, state: running", ""},
	} {
		r := tc.make(t, t.TempDir())
		for _, it := range r.load(fmt.Sprintf(wantsWeb, tc.spec)).Items {
			_, err := it.Observe(t.Context(), r.world)
			switch {
			case tc.says == "" && err != nil:
				t.Errorf("%s: %v", tc.spec, err)
			case tc.says != "" && (fault.KindOf(err) != fault.Unsupported || !strings.Contains(fmt.Sprint(err), tc.says)):
				t.Errorf("%s: %v", tc.spec, err)
			}
		}
	}
}
