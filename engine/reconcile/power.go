package reconcile

import (
	"regexp"
	"strings"
)

var (
	powerful   = regexp.MustCompile(`^((systemd-)?(soft-reboot|poweroff|reboot|halt|kexec|exit|suspend|hibernate|hybrid-sleep|suspend-then-hibernate)|shutdown|umount|final|sleep|emergency|rescue|debug-shell|ctrl-alt-del|runlevel[016]|initrd-switch-root|system-update)\.(target|service)$`)
	foundation = regexp.MustCompile(`^(system\.slice|(sysinit|basic|multi-user|default|local-fs|graphical|runlevel[2345])\.target|dbus\.(service|socket)|dbus-broker\.service)$`)

	parameter = regexp.MustCompile(`^(abi|debug|dev|fs|kernel|net|user|vm)(/[A-Za-z0-9_:@-][A-Za-z0-9_:@.-]*)+$`)
	programs  = regexp.MustCompile(`^(kernel/(core_pattern|modprobe|hotplug|poweroff_cmd|usermodehelper)|fs/binfmt_misc)(/|$)`)
)

// Powerful says whether a unit, by its whole name, turns the machine off, puts it
// to sleep or gives a root shell to whoever is at it.
func Powerful(unit string) bool { return powerful.MatchString(unit) }

// Foundation says whether a unit is what everything that runs stands on, vigild
// itself too.
func Foundation(unit string) bool { return foundation.MatchString(unit) }

// Itself says whether a unit is vigild's own.
func Itself(unit string) bool { return unit == "vigild.service" || unit == "vigil.service" }

// Parameter holds a name, with slashes, to the shape of a kernel parameter.
func Parameter(name string) bool {
	return len(name) <= 256 && parameter.MatchString(name) && !strings.Contains(name, "..")
}

// NamesProgram says whether a kernel parameter names a program for the kernel to run.
func NamesProgram(name string) bool { return programs.MatchString(name) }
