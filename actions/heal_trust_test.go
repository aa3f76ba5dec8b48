package actions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/actions"
	"vigil/actions/heal"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// TestHeal_ALadderMayNoMoreThanADocument: the kinds that heal can be named by the
// ladder of a policy and by a notify, which no kind of document has looked at.
// Without trust_commands they write no unit file, no cron file and no kernel
// parameter that names a program, and enable nothing that opens a shell; what holds
// up everything is never masked.
func TestHeal_ALadderMayNoMoreThanADocument(t *testing.T) {
	dir := t.TempDir()
	tr := reconcile.Trust{Kinds: []string{"Policy", "File", "Directory", "Timer", "Sysctl"}, Paths: []string{"/etc", "/usr/local", dir}}
	s := build(t, actions.Config{Heal: heal.Config{Paths: tr.Places(), Made: tr.Made(), Opens: tr.Opens, Above: tr.Above}}, actions.Deps{})
	for _, tt := range []struct {
		kind string
		with with
		may  bool
	}{
		{"file", with{"path": "/etc/motd", "content": "x"}, true},
		{"file", with{"path": "/etc/cron.d/x", "content": "* * * * * root /tmp/x\n"}, false},
		{"file", with{"path": "/etc/systemd/system/x.service", "content": "x"}, false},
		{"file", with{"path": "/etc/systemd/system/x.timer.d/x.conf", "content": "x"}, false},
		{"file", with{"path": "/etc/systemd/system/x.timer", "content": "x"}, true},
		{"file", with{"path": "/etc/sysctl.d/x.conf", "content": "x"}, false},
		{"file", with{"path": "/etc/sysctl.d/90-vigil-x.conf", "content": "x"}, true},
		{"file", with{"path": "/etc/sudoers.d/x", "content": "x"}, false},
		{"file", with{"path": dir + "/.ssh/authorized_keys", "content": "x"}, false},
		{"file", with{"path": "/usr/local/bin/x", "absent": true}, false},
		{"file", with{"path": dir + "/x", "content": "x", "permissions": "4755"}, false},
		{"file", with{"path": dir + "/x", "permissions": "2750"}, false},
		{"file", with{"path": dir + "/x", "content": "x", "permissions": "4644"}, true}, // runs as nobody
		{"directory", with{"path": "/etc/cron.d", "owner": "nobody"}, false},
		{"directory", with{"path": "/usr/local", "owner": "nobody"}, false},
		{"directory", with{"path": "/etc/web", "owner": "nobody"}, true},
	} {
		_, err := action(t, s, tt.kind).Resolve(request(tt.kind, tt.with))
		if (err == nil) != tt.may {
			t.Errorf("%s %v: %v", tt.kind, tt.with, err)
		}
	}
	pid1 := unitstest.Start(t)
	for _, trusted := range []bool{false, true} {
		s := build(t, actions.Config{Bus: pid1.Address, Heal: heal.Config{Units: true, Commands: trusted}}, actions.Deps{})
		for _, tt := range []struct {
			unit, verb string
			may        bool
		}{
			{"debug-shell", "enable", trusted},
			{"debug-shell", "disable", true},
			{"ctrl-alt-del.target", "mask", true},
			{"dbus", "mask", false},
			{"dbus", "unmask", true},
			{"web", "enable", true},
			{"web", "mask", true},
		} {
			if _, err := action(t, s, "unit").Resolve(request("unit", with{"unit": tt.unit, "verb": tt.verb})); (err == nil) != tt.may {
				t.Errorf("%s %s, commands are trusted %v: %v", tt.verb, tt.unit, trusted, err)
			}
		}
	}
	never := strings.Repeat("0", 64) // a test that finds the hole writes nothing all the same
	_, err := action(t, s, "file").Run(t.Context(), request("file", with{"was": never, "path": "/etc/sysctl.d/90-vigil-x.conf", "content": "# x\nkernel.core_pattern = |/tmp/x\n"}))
	if fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a program of the kernel is kept over a restart: %v", err)
	}
	// The content of a program that runs as its owner is a command as well.
	f := filepath.Join(dir, "f")
	for _, err := range []error{os.WriteFile(f, []byte("old"), 0o755), os.Chmod(f, 0o755|os.ModeSetuid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	res := run(t, s, "file", with{"path": f, "content": "new"})
	if b, _ := os.ReadFile(f); res.OK || !strings.Contains(res.Error, "runs as its owner") || string(b) != "old" {
		t.Errorf("%+v, it holds %q", res, b)
	}
	// As a plain program it may be written, and nobody claims that it comes back.
	if _, err := action(t, s, "file").(remedy.Undoer).Undo(t.Context(), request("file", with{"path": f, "permissions": "0755"})); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("it would be made to run as its owner again: %v", err)
	}
	res = run(t, s, "file", with{"path": f, "content": "new", "permissions": "0755"})
	if why, _ := res.Data["not_undoable"].(string); !res.OK || res.Data["undo"] != nil || !strings.Contains(why, "runs as its owner") {
		t.Errorf("as a plain program: %+v", res)
	}
}

// TestHeal_AKernelProgramNeedsTrust and no more than that, as a document about it does.
func TestHeal_AKernelProgramNeedsTrust(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := build(t, actions.Config{Heal: heal.Config{Paths: []string{t.TempDir()}, Sysctl: true, Commands: trusted}}, actions.Deps{})
		_, err := action(t, s, "sysctl").Resolve(request("sysctl", with{"name": "kernel.core_pattern", "value": "core"}))
		if (err == nil) != trusted || err != nil && !strings.Contains(err.Error(), "git.trust_commands") {
			t.Errorf("trusted %v: %v", trusted, err)
		}
	}
}
