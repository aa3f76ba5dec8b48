package manifest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/reconcile"
)

// command writes the settings of a process. What is sealed is left out.
func (m *Manifest) command(w *writer, c reconcile.Command, o Options) {
	if !o.Trust.Commands {
		m.warn("this host would refuse the document: a command needs git.trust_commands = true")
	}
	text := func(key, v string) {
		if v != "" {
			w.scalar(key, v)
		}
	}
	w.word("argv", list(c.Argv))
	text("user", c.User)
	text("group", c.Group)
	text("cwd", c.Cwd)
	if len(c.Env) > len(c.Sealed) {
		w.b.WriteString("  env:\n")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		if !c.Hides(name) {
			w.text(4, name, c.Env[name])
			m.secret("the variable "+name, []byte(name+"="+c.Env[name]))
		}
	}
	if len(c.Sealed) > 0 {
		m.warn("left out of env, since they are sealed: %s", strings.Join(c.Sealed, ", "))
	}
	var ready []string
	add := func(key, v string) {
		if v != "" {
			ready = append(ready, key+": "+v)
		}
	}
	span := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return document.Duration(d).String()
	}
	word := func(v string) string {
		if v == "" {
			return ""
		}
		return quoted(v)
	}
	if r := c.Ready; len(r.Exec) > 0 {
		add("exec", list(r.Exec))
	}
	add("tcp", word(c.Ready.TCP))
	add("http", word(c.Ready.HTTP))
	add("file", word(c.Ready.File))
	add("after", span(c.Ready.After))
	add("timeout", span(c.Ready.Timeout))
	if ready != nil {
		w.word("ready", "{"+strings.Join(ready, ", ")+"}")
	}
	if c.Hold != 0 {
		w.word("hold", span(c.Hold))
	}
	text("stop_signal", c.StopSignal)
	if c.StopTimeout != 0 {
		w.word("stop_timeout", span(c.StopTimeout))
	}
	text("log", c.Log)
	if c.LogMax != 0 {
		w.word("log_max", strconv.FormatInt(c.LogMax, 10))
	}
	var limits []string
	for _, name := range slices.Sorted(maps.Keys(c.Limits)) {
		limits = append(limits, name+": "+strconv.FormatUint(c.Limits[name], 10))
	}
	if limits != nil {
		w.word("limits", "{"+strings.Join(limits, ", ")+"}")
	}
}

// list is texts on one line.
func list(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = quoted(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
