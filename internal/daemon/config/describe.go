package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"vigil/internal/daemon/settings"
)

// Description is a configuration as people may see it: without secrets.
type Description struct {
	File     string    `json:"file"`
	Sources  []string  `json:"policy_folders"`
	Settings []Setting `json:"settings"`
	Legacy   []outcome `json:"original_names"`
}

// Setting is one scalar.
type Setting struct {
	Key     string `json:"key"`
	Env     string `json:"env"`
	Value   string `json:"value"`
	Changed bool   `json:"changed"` // it is not the default
}

// Describe lists every setting with its value; secrets are `***`.
func Describe(l *Loaded) Description {
	base := Defaults(Places{Config: "/etc/vigil/vigil.toml", Data: "/var/lib/vigil"})
	out := Description{File: l.File, Sources: l.Sources, Legacy: l.Legacy}
	was := settings.Scalars(&base)
	for i, k := range settings.Scalars(&l.Config) {
		out.Settings = append(out.Settings, Setting{
			Key: k.String(), Env: k.Env(), Value: hide(k.Path[len(k.Path)-1], k.Text()),
			Changed: !reflect.DeepEqual(was[i].Value.Interface(), k.Value.Interface()),
		})
	}
	say := func(key, value string) {
		out.Settings = append(out.Settings, Setting{Key: key, Value: value, Changed: true})
	}
	lists := settings.Lists(&base)
	for i, k := range settings.Lists(&l.Config) {
		if words, ok := k.Value.Interface().([]string); ok && !slices.Equal(words, lists[i].Value.Interface().([]string)) {
			say(k.String(), fmt.Sprintf("[%s]", strings.Join(quoted(words), ", ")))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Catalogue)) {
		say("actions."+name, l.Catalogue[name].Kind)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Notify)) {
		say("notify."+name, "***") // the address of a receiver may be its secret
	}
	for _, p := range l.Processes {
		say("process."+p.Name, fmt.Sprintf("%q", p.Argv))
	}
	for _, t := range l.Tokens {
		say("token."+t.Name, t.Role+", secret ***")
	}
	return out
}

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = fmt.Sprintf("%q", w)
	}
	return out
}

// hide keeps what could be a secret from being printed.
func hide(name, value string) string {
	for _, word := range []string{"secret", "password", "token"} {
		if strings.Contains(name, word) && !strings.HasSuffix(name, "_dirs") && value != `""` && strings.HasPrefix(value, `"`) {
			return "***"
		}
	}
	return value
}
