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
	Actions  bool     `toml:"trust_actions"`  // documents may define entries of the catalogue; needs signed commits
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
// the paths and, where commands are trusted, those where the listed kinds keep
// files of their own making. Made has those of the kinds that need no trust.
func (t Trust) Places() []string {
	out := slices.Clone(t.Paths)
	for _, k := range t.Kinds {
		switch {
		case k == "Service" && t.Commands:
			out = append(out, "/etc/systemd/system")
		case k == "Cron" && t.Commands:
			out = append(out, "/etc/cron.d")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Made are patterns, as path.Match has them, of the files that the listed kinds
// make in places that are closed otherwise.
func (t Trust) Made() (out []string) {
	if slices.Contains(t.Kinds, "Sysctl") {
		out = append(out, "/etc/sysctl.d/90-vigil-*.conf")
	}
	if slices.Contains(t.Kinds, "Timer") {
		out = append(out, "/etc/systemd/system/*.timer")
	}
	return out
}

// Closed are the places where a file makes somebody run a program or lets people
// in: writing there is a command, whatever paths says. None where commands are
// trusted.
func (t Trust) Closed() []string {
	if t.Commands {
		return nil
	}
	return []string{
		"/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/usr/local/lib/systemd", "/lib/systemd",
		"/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/crontab", "/var/spool/cron", "/var/spool/at", "/etc/anacrontab",
		"/etc/init.d", "/etc/rc.local", "/etc/rc.d", "/etc/rcS.d", "/etc/inittab", "/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/bashrc", "/etc/zsh", "/etc/environment", "/etc/security", "/etc/update-motd.d",
		"/etc/sudoers", "/etc/sudoers.d", "/etc/sudo.conf", "/etc/doas.conf", "/etc/pam.d", "/etc/pam.conf", "/etc/polkit-1", "/usr/share/polkit-1", "/etc/dbus-1", "/usr/share/dbus-1", "/etc/nsswitch.conf",
		"/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/etc/alternatives",
		"/etc/udev", "/etc/modprobe.d", "/etc/modules", "/etc/modules-load.d", "/etc/binfmt.d", "/etc/tmpfiles.d", "/etc/sysctl.conf", "/etc/sysctl.d",
		"/usr/local/lib/sysctl.d", "/run/sysctl.d", "/run/udev", "/run/tmpfiles.d", "/run/binfmt.d", "/etc/fstab", "/etc/default", "/etc/sysconfig", "/etc/grub.d", "/etc/kernel", "/etc/initramfs-tools",
		"/etc/NetworkManager/dispatcher.d", "/etc/network", "/etc/networkd-dispatcher", "/etc/dhcp", "/etc/ppp", "/etc/xdg/autostart",
		"/etc/bash_completion.d", "/etc/bash.bash_logout", "/etc/inputrc", "/etc/csh.cshrc", "/etc/csh.login", "/etc/csh.logout", "/etc/ksh.kshrc", "/etc/fish", "/etc/skel", "/etc/gitconfig",
		"/etc/conf.d", "/etc/runlevels", "/etc/sv", "/etc/service", "/etc/runit", "/etc/local.d", "/etc/inetd.conf", "/etc/xinetd.conf", "/etc/xinetd.d", "/etc/acpi", "/etc/request-key.conf", "/etc/request-key.d",
		"/etc/aliases", "/etc/hosts.equiv", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/crypttab", "/etc/cloud",
		"/etc/apt", "/etc/dpkg", "/var/lib/dpkg", "/etc/yum.conf", "/etc/yum.repos.d", "/etc/yum", "/etc/dnf", "/etc/pacman.conf", "/etc/pacman.d", "/etc/apk", "/etc/zypp", "/etc/logrotate.d", "/etc/logrotate.conf", "/etc/ssh", "/root", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/boot",
		"/etc/perl", "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/etc/crypto-policies", "/etc/gss", "/etc/krb5.conf", "/etc/krb5.conf.d", "/etc/ca-certificates", "/etc/X11", "/etc/vim", "/etc/emacs", "/etc/mailcap",
		"/etc/containers", "/usr/share/containers", "/etc/docker", "/etc/cni", "/etc/kubernetes", "/etc/needrestart", "/etc/resolvconf", "/etc/login.defs", "/etc/incron.d", "/var/spool/incron",
		"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid",
	}
}

// letsIn are names that let people in or make their shells run something,
// wherever somebody's home is, and what Python runs, whichever version it is.
func letsIn(p string) bool {
	for _, n := range strings.Split(p, "/") {
		switch n {
		case ".ssh", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".cshrc", ".tcshrc", ".login", ".logout", ".kshrc",
			".rhosts", ".shosts", ".k5login", ".k5users", ".pam_environment", ".forward", ".procmailrc", ".gitconfig", ".xprofile", ".xinitrc", ".xsession", ".xsessionrc",
			".vimrc", ".vim", ".exrc", ".emacs", ".emacs.d", ".tmux.conf", ".screenrc", ".inputrc", ".gdbinit", ".mailcap", ".gnupg":
			return true
		}
	}
	return strings.HasPrefix(p, "/etc/python") || slices.ContainsFunc([]string{
		".config/systemd", ".config/environment.d", ".config/autostart", ".config/fish", ".config/git", ".config/containers", ".config/nvim", ".config/tmux",
		".local/share/systemd", ".local/bin",
	}, func(of string) bool { return strings.Contains(p+"/", "/"+of+"/") })
}

// Opens reports whether writing at a path would be a command here.
func (t Trust) Opens(p string) bool {
	return !t.Commands && (letsIn(p) || slices.ContainsFunc(t.Closed(), func(c string) bool { return Below(c, p) }))
}

// Above reports whether a folder holds a place where writing would be a command:
// who owns it could exchange what is in it.
func (t Trust) Above(folder string) bool {
	return slices.ContainsFunc(t.Closed(), func(c string) bool { return Below(folder, c) })
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
	if t.Opens(p) {
		return p + " can make programs run or let people in", "the local config allows that with git.trust_commands = true and signed commits"
	}
	return "", ""
}
