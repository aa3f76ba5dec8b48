package reconcile

import (
	"path"
	"slices"
	"strings"

	"vigil/engine/fault"
)

// Trust is the local config's word on what documents may touch, `[git]` of
// vigil.toml. Nothing of it can come from a document.
type Trust struct {
	Kinds    []string `toml:"kinds"`          // kinds that documents may have
	Paths    []string `toml:"paths"`          // folders and files that they may touch, whole below
	Commands bool     `toml:"trust_commands"` // and what makes a program run; needs signed commits
	Refused  []string `toml:"-"`              // vigild's own binary, config, data, tokens: always refused
}

// TrustDefaults is small: what belongs to vigild itself, and files, though
// nowhere until paths says where.
func TrustDefaults() Trust {
	return Trust{Kinds: []string{"Policy", "Check", "Silence", "Maintenance", "File", "Directory"}}
}

// Validate wants paths that are absolute and clean.
func (t Trust) Validate() error {
	var is fault.Issues
	for _, p := range slices.Concat(t.Paths, t.Refused) {
		if !path.IsAbs(p) || path.Clean(p) != p {
			is = append(is, fault.Issue{Place: "git.paths", Msg: "\"" + p + "\" is not a whole, plain path", Hint: "write one such as /etc/web"})
		}
	}
	return is.Err()
}

// Places are the folders that the actions which heal have to be allowed: those of
// the paths, and those where the listed kinds keep files of their own making.
func (t Trust) Places() []string {
	out := slices.Clone(t.Paths)
	for _, k := range t.Kinds {
		switch {
		case k == "Sysctl":
			out = append(out, "/etc/sysctl.d")
		case k == "Timer", k == "Service" && t.Commands:
			out = append(out, "/etc/systemd/system")
		case k == "Cron" && t.Commands:
			out = append(out, "/etc/cron.d")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// commandPlaces are where a file makes somebody run a program: writing there is
// a command, whatever paths says.
func commandPlaces() []string {
	return []string{
		"/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/usr/local/lib/systemd", "/lib/systemd",
		"/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/crontab", "/var/spool/cron", "/etc/anacrontab",
		"/etc/init.d", "/etc/rc.local", "/etc/inittab", "/etc/profile", "/etc/profile.d", "/etc/sudoers", "/etc/sudoers.d", "/etc/pam.d",
		"/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/udev", "/usr/lib/udev", "/etc/modprobe.d", "/etc/NetworkManager/dispatcher.d",
		"/etc/apt/apt.conf.d", "/etc/apt/apt.conf", "/etc/logrotate.d", "/etc/ssh", "/root", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/boot",
		"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow",
	}
}

// Below reports whether p is at or under the folder.
func Below(folder, p string) bool {
	return p == folder || folder == "/" || strings.HasPrefix(p, folder+"/")
}

// Path says why a document may not touch a path, "" that it may. What lies above
// vigild's own is refused too: who may change a folder may change what is in it.
func (t Trust) Path(p string) (why, mend string) {
	for _, r := range t.Refused {
		if Below(r, p) || Below(p, r) {
			return p + " belongs to vigild itself, which no document may touch", ""
		}
	}
	for _, pseudo := range []string{"/proc", "/sys", "/dev"} {
		if Below(pseudo, p) {
			return p + " is the kernel's and no file", "a kernel parameter is kind: Sysctl"
		}
	}
	if !slices.ContainsFunc(t.Paths, func(f string) bool { return Below(f, p) }) {
		return p + " is under none of the folders that documents may touch", "the local config lists them in git.paths"
	}
	if !t.Commands {
		for _, c := range commandPlaces() {
			if Below(c, p) {
				return p + " can make programs run or let people in", "the local config allows that with git.trust_commands = true and signed commits"
			}
		}
	}
	return "", ""
}
