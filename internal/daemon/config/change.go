package config

import (
	"reflect"
	"slices"
	"strings"

	"vigil/internal/daemon/settings"
)

// live are the sections and keys that a reload changes while running; all
// others need a restart. A dotted prefix stands for everything under it.
var live = []string{"log.level", "policies.starter", "actions", "notify", "token", "api.rate_limit", "api.allowed_hosts", "api.allowed_origins"}

// Change is one setting that differs between two configurations.
type Change struct {
	Key  string
	Live bool // it takes effect without a restart
}

// Diff names every setting that differs, by its dotted key.
func Diff(old, new *Config) []Change {
	var out []Change
	add := func(key string) {
		out = append(out, Change{key, slices.ContainsFunc(live, func(l string) bool {
			return key == l || strings.HasPrefix(key, l+".")
		})})
	}
	after := settings.Scalars(new)
	for i, k := range settings.Scalars(old) {
		if !reflect.DeepEqual(k.Value.Interface(), after[i].Value.Interface()) {
			add(k.String())
		}
	}
	for _, l := range settings.Lists(old) {
		other, _ := settings.FindList(new, l.String())
		if !reflect.DeepEqual(l.Value.Interface(), other.Value.Interface()) {
			add(l.String())
		}
	}
	return out
}
