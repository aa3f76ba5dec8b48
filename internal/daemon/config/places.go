package config

import (
	"os"
	"path/filepath"
)

// Places is where things lie when nobody says otherwise.
type Places struct {
	Config string // vigil.toml
	Data   string
	Socket string
}

// PlacesFor finds the places of a user: those of the system for root, those of
// the XDG base directory specification for anybody else. Nothing is created.
func PlacesFor(uid int, lookup func(string) (string, bool)) Places {
	if uid == 0 {
		return Places{Config: "/etc/vigil/vigil.toml", Data: "/var/lib/vigil", Socket: "/run/vigil/vigil.sock"}
	}
	dir := func(name string, under ...string) string {
		if v, ok := lookup(name); ok && filepath.IsAbs(v) {
			return filepath.Join(v, "vigil")
		}
		home, ok := lookup("HOME")
		if !ok || !filepath.IsAbs(home) {
			home = filepath.Join(os.TempDir(), "vigil-home")
		}
		return filepath.Join(append(append([]string{home}, under...), "vigil")...)
	}
	p := Places{
		Config: filepath.Join(dir("XDG_CONFIG_HOME", ".config"), "vigil.toml"),
		Data:   dir("XDG_STATE_HOME", ".local", "state"),
	}
	if v, ok := lookup("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(v) {
		p.Socket = filepath.Join(v, "vigil", "vigil.sock")
	} else {
		p.Socket = filepath.Join(p.Data, "run", "vigil.sock")
	}
	return p
}
