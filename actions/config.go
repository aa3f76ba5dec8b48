package actions

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"vigil/actions/catalogue"
	"vigil/actions/heal"
	"vigil/actions/supervise"
	"vigil/engine/fault"
)

// Config is this room's part of the local config. None of it can come from Git
// or the API.
type Config struct {
	Catalogue  map[string]catalogue.Entry `toml:"actions"`
	Processes  []supervise.Process        `toml:"process"`
	Notify     map[string]Receiver        `toml:"notify"`
	CgroupRoot string                     `toml:"cgroup_root"` // cgroup v2 folder; "" is vigild's own, "off" none

	Heal heal.Config `toml:"-"` // what desired state may touch, from [git]; the zero value is nothing

	Own []string `toml:"-"` // vigild's own files and folders, which no entry of the repository may name; none: it defines none

	DataDir string   `toml:"-"` // for the records of processes and of probes
	Wrapper []string `toml:"-"` // command line that runs detach.Attempt on a folder; none: nothing outlives vigild
	Source  string   `toml:"-"` // the file all this was read from; it must be trusted if there is a catalogue
	Bus     string   `toml:"-"` // D-Bus address of systemd; "" is the host's
	Root    string   `toml:"-"` // prefix for init systems, in tests
}

// Receiver is one `[notify.NAME]`.
type Receiver struct {
	Kind    string            `toml:"kind"` // "" is webhook
	URL     string            `toml:"url"`  // or file:/path, env:NAME where the URL itself is the secret
	Headers map[string]string `toml:"headers"`
	Secret  string            `toml:"secret"`  // file: or env: key of an HMAC-SHA256 over the body
	Timeout time.Duration     `toml:"timeout"` // for all tries together; 0 is 30 s
	Allow   []string          `toml:"allow"`
}

// Defaults is an empty catalogue.
func Defaults() Config { return Config{} }

var receiverName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

const maxEntries = 1000

// Validate names every fault by its key path, file-independent.
func (c Config) Validate() error {
	var is fault.Issues
	if n := len(c.Catalogue) + len(c.Notify); n > maxEntries {
		is.Add("actions", "there are %d entries and receivers, at most %d are read", n, maxEntries)
	}
	is = append(is, catalogue.Validate(c.Catalogue, kindNames())...)
	for _, name := range slices.Sorted(maps.Keys(c.Notify)) {
		if !receiverName.MatchString(name) {
			is.Add("notify."+name, "%q is not a name: lower-case letters, digits, '-', '_', at most 63", name)
		}
		c.Notify[name].validate("notify."+name, &is)
	}
	if err := (supervise.Config{Processes: c.Processes}).Validate(); err != nil {
		if more, ok := err.(fault.Issues); ok {
			is = append(is, more...)
		}
	}
	return is.Err()
}
