package check

import (
	"path/filepath"

	"vigil/engine/check/host"
	"vigil/engine/fault"
)

// Config is `[host]` and `[checks]` of the configuration.
type Config struct {
	Host   host.Config `toml:"host"`
	Checks Probes      `toml:"checks"`
}

// Probes is `[checks]`: what holds for all checks, and what documents may not
// decide by themselves.
type Probes struct {
	MaxInFlight int      `toml:"max_in_flight"` // checks measuring at the same time
	MaxSeries   int      `toml:"max_series"`    // series of one check
	PluginDirs  []string `toml:"plugin_dirs"`   // folders whose programs a program check may name
	SecretDirs  []string `toml:"secret_dirs"`   // folders whose files `file:` may name
	SecretEnv   []string `toml:"secret_env"`    // variables that `env:` may name
	Bus         string   `toml:"bus"`           // D-Bus address of systemd, "" the system's own
}

// Defaults are the values of vigil.example.toml.
func Defaults() Config {
	return Config{Host: host.Defaults(), Checks: Probes{
		MaxInFlight: 8,
		MaxSeries:   20_000,
		SecretDirs:  []string{"/etc/vigil/secrets"},
	}}
}

// Validate says what is wrong with the settings, all of it at once.
func (c Config) Validate() error {
	var is fault.Issues
	if err := c.Host.Validate(); err != nil {
		is = append(is, err.(fault.Issues)...)
	}
	if n := c.Checks.MaxInFlight; n < 1 || n > 256 {
		is.Add("checks.max_in_flight", "%d is out of range: 1 to 256", n)
	}
	if n := c.Checks.MaxSeries; n < 1 || n > 1_000_000 {
		is.Add("checks.max_series", "%d is out of range: 1 to 1000000", n)
	}
	for _, l := range []struct {
		key  string
		dirs []string
	}{{"plugin_dirs", c.Checks.PluginDirs}, {"secret_dirs", c.Checks.SecretDirs}} {
		for _, d := range l.dirs {
			if !filepath.IsAbs(d) {
				is.Add("checks."+l.key, "%q is not an absolute path", d)
			}
		}
	}
	return is.Err()
}
