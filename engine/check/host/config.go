package host

import (
	"regexp"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Config is `[host]` of the configuration.
type Config struct {
	Enabled bool              `toml:"enabled"`
	Every   document.Duration `toml:"every"`

	Proc string `toml:"proc"` // where procfs is mounted
	Sys  string `toml:"sys"`  // where sysfs is mounted
	Root string `toml:"root"` // whose free space disk_free_percent tells

	MountpointsExclude string `toml:"mountpoints_exclude"` // regular expression
	FstypesExclude     string `toml:"fstypes_exclude"`
	DisksExclude       string `toml:"disks_exclude"`
	NetworksExclude    string `toml:"networks_exclude"`

	StuckAfter   document.Duration `toml:"stuck_after"`   // how long one round waits for file systems
	ProcessLimit int               `toml:"process_limit"` // processes whose state is looked at in a round
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{
		Enabled: true,
		Every:   document.Duration(10 * time.Second),
		Proc:    "/proc", Sys: "/sys", Root: "/",
		MountpointsExclude: `^/(dev|proc|sys|run/credentials/.+|run/user/.+|var/lib/docker/.+|var/lib/containers/.+|var/lib/kubelet/.+)($|/)`,
		FstypesExclude:     `^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|ramfs|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$`,
		DisksExclude:       `^(z?ram|loop|fd|sr)\d+$|^(h|s|v|xv)d[a-z]+\d+$|^nvme\d+n\d+p\d+$|^mmcblk\d+(p\d+|boot\d+)$`,
		NetworksExclude:    `^(veth|cali|lxc|ifb|tap)[0-9a-f]`,
		StuckAfter:         document.Duration(2 * time.Second),
		ProcessLimit:       4096,
	}
}

// Validate says what is wrong with the settings, all of it at once.
func (c Config) Validate() error {
	var is fault.Issues
	if c.Every.Std() < time.Second || c.Every.Std() > 24*time.Hour {
		is.Add("host.every", "%v is out of range: 1s to 24h", c.Every.Std())
	}
	if c.StuckAfter.Std() < 10*time.Millisecond || c.StuckAfter.Std() > time.Minute {
		is.Add("host.stuck_after", "%v is out of range: 10ms to 1m", c.StuckAfter.Std())
	}
	if c.ProcessLimit < 0 || c.ProcessLimit > 1<<20 {
		is.Add("host.process_limit", "%d is out of range: 0 to 1048576", c.ProcessLimit)
	}
	for _, p := range []struct{ key, path string }{{"proc", c.Proc}, {"sys", c.Sys}, {"root", c.Root}} {
		if len(p.path) == 0 || p.path[0] != '/' {
			is.Add("host."+p.key, "%q is not an absolute path", p.path)
		}
	}
	for _, p := range []struct{ key, re string }{
		{"mountpoints_exclude", c.MountpointsExclude}, {"fstypes_exclude", c.FstypesExclude},
		{"disks_exclude", c.DisksExclude}, {"networks_exclude", c.NetworksExclude},
	} {
		if _, err := regexp.Compile(p.re); err != nil {
			is.Add("host."+p.key, "not a regular expression: %v", err)
		}
	}
	return is.Err()
}
