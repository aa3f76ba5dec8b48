package actions_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/heal"
	"vigil/engine/remedy/foresee"
)

// TestHeal_ForeseesWhatIsReadOnly: a folder that is read-only for vigild, as its unit's
// sandbox makes them, is told before anything is tried, with the folder that there is
// and how to open it; nothing is made.
func TestHeal_ForeseesWhatIsReadOnly(t *testing.T) {
	dir := t.TempDir()
	shut := filepath.Join(dir, "shut")
	if !actiontest.Disk(t, shut, 1<<20) {
		return
	}
	script(t, shut, "proc/sys/net/ipv4/ip_forward", "0\n")
	script(t, shut, "etc/f", "x")
	script(t, dir, "open/f", "x")
	s := build(t, actions.Config{Root: shut, Heal: heal.Config{Paths: []string{dir}, Sysctl: true}}, actions.Deps{})
	foresees := func(name string, w with) string {
		t.Helper()
		err := action(t, s, name).(foresee.Foreseer).Foresee(request(name, w), &foresee.Ahead{})
		if err == nil {
			return ""
		}
		return err.Error()
	}
	asked := []struct {
		name string
		w    with
		says string
	}{
		{"file", with{"path": shut + "/etc/f", "content": "y"}, shut + "/etc/f cannot be written: " + shut + "/etc is read-only for vigild (under systemd, open it with ReadWritePaths=" + shut + "/etc "},
		{"file", with{"path": shut + "/none/deep/f", "content": "y", "parents": true}, "ReadWritePaths=" + shut + " "},
		{"file", with{"path": shut + "/etc/f", "absent": true}, "ReadWritePaths=" + shut + "/etc "},
		{"file", with{"path": shut + "/etc/f", "permissions": "0600"}, "ReadWritePaths=" + shut + "/etc "},
		{"directory", with{"path": shut + "/etc", "permissions": "0700"}, "ReadWritePaths=" + shut + "/etc "},
		{"directory", with{"path": shut + "/new"}, "ReadWritePaths=" + shut + " "},
		{"directory", with{"path": shut, "permissions": "0700"}, "ReadWritePaths=" + shut + " "},
		{"sysctl", with{"name": "net.ipv4.ip_forward", "value": "1"}, "ProtectKernelTunables=no"},
		{"file", with{"path": dir + "/open/f", "content": "y"}, ""},
		{"file", with{"path": dir + "/open/new/deep/f", "content": "y", "parents": true}, ""},
	}
	for _, a := range asked {
		if got := foresees(a.name, a.w); got != "" {
			t.Errorf("while all is open: %s %v: %s", a.name, a.w, got)
		}
	}
	if err := syscall.Mount("", shut, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, a := range asked {
		if got := foresees(a.name, a.w); got == "" != (a.says == "") || !strings.Contains(got, a.says) {
			t.Errorf("%s %v: %q does not say %q", a.name, a.w, got, a.says)
		}
	}
	if _, err := os.Stat(dir + "/open/new"); err == nil {
		t.Error("a folder was made")
	}
}
