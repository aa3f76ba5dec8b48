package reconcile

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/engine/fault"
)

// Command is what a document says of a process beside its name: the settings of a
// `[[process]]` by the same words. As JSON it is the definition that the action
// declare takes; durations are whole nanoseconds then.
type Command struct {
	Argv        []string          `json:"argv"`
	User        string            `json:"user,omitempty"`
	Group       string            `json:"group,omitempty"`
	Env         map[string]string `json:"env,omitempty"`
	Cwd         string            `json:"cwd,omitempty"`
	Ready       Ready             `json:"ready,omitzero"`
	Hold        time.Duration     `json:"hold,omitempty"`
	StopSignal  string            `json:"stop_signal,omitempty"`
	StopTimeout time.Duration     `json:"stop_timeout,omitempty"`
	Log         string            `json:"log,omitempty"`
	LogMax      int64             `json:"log_max,omitempty"`
	Limits      map[string]uint64 `json:"limits,omitempty"`
	Sealed      []string          `json:"sealed,omitempty"` // names in Env whose values are told to nobody, sorted
}

// Ready says when a started process serves.
type Ready struct {
	Exec    []string      `json:"exec,omitempty"`
	TCP     string        `json:"tcp,omitempty"`
	HTTP    string        `json:"http,omitempty"`
	File    string        `json:"file,omitempty"`
	After   time.Duration `json:"after,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Bytes is the definition, the same for the same command. Pure.
func (c Command) Bytes() []byte {
	b, _ := json.Marshal(c) // plain data always becomes JSON
	return b
}

// ReadCommand reads what Bytes wrote.
func ReadCommand(b []byte) (c Command, err error) {
	if err = json.Unmarshal(b, &c); err != nil {
		return c, fault.Wrap(fault.Corrupt, err, "the definition of a process")
	}
	return c, nil
}

// Hides reports whether the value of a variable is not to be told.
func (c Command) Hides(variable string) bool { return slices.Contains(c.Sealed, variable) }

// EnvField begins the name of the property of a variable.
const EnvField = "env:"

// Into adds the command's properties to a state: one for each setting, "" where it
// is not set, and one for each variable. sum stands for a value that is not told.
func (c Command) Into(st State, sum func(string) string) {
	words := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	set := func(name, v, none string) {
		if v == none || v == "{}" {
			v = ""
		}
		st[name] = v
	}
	set("argv", words(c.Argv), "null")
	set("user", c.User, "")
	set("group", c.Group, "")
	set("cwd", c.Cwd, "")
	set("ready", words(c.Ready), "")
	set("hold", c.Hold.String(), "0s")
	set("stop_signal", c.StopSignal, "")
	set("stop_timeout", c.StopTimeout.String(), "0s")
	set("log", c.Log, "")
	set("log_max", strconv.FormatInt(c.LogMax, 10), "0")
	set("limits", words(c.Limits), "null")
	set("env", strings.Join(slices.Sorted(maps.Keys(c.Env)), " "), "")
	for name, v := range c.Env {
		if c.Hides(name) {
			v = sum(v)
		}
		st[EnvField+name] = v
	}
}

// Patience is how long stopping a process of this command and starting it may take
// at most.
func (c Command) Patience() time.Duration {
	stop, ready := c.StopTimeout, c.Ready.Timeout
	if stop == 0 {
		stop = 10 * time.Second
	}
	if ready == 0 {
		ready = 30 * time.Second
	}
	return stop + ready + 20*time.Second
}
