package units

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// commandSpec is the command of a process in its document: the settings of a
// [[process]], by the same words.
type commandSpec struct {
	Argv        []string                 `yaml:"argv"`
	User        string                   `yaml:"user"`
	Group       string                   `yaml:"group"`
	Env         map[string]document.Node `yaml:"env"` // text or {age: ...}
	Cwd         string                   `yaml:"cwd"`
	Ready       readySpec                `yaml:"ready"`
	Hold        document.Duration        `yaml:"hold"`
	StopSignal  string                   `yaml:"stop_signal"`
	StopTimeout document.Duration        `yaml:"stop_timeout"`
	Log         string                   `yaml:"log"`
	LogMax      int64                    `yaml:"log_max"`
	Limits      map[string]uint64        `yaml:"limits"`
}

type readySpec struct {
	Exec    []string          `yaml:"exec"`
	TCP     string            `yaml:"tcp"`
	HTTP    string            `yaml:"http"`
	File    string            `yaml:"file"`
	After   document.Duration `yaml:"after"`
	Timeout document.Duration `yaml:"timeout"`
}

var (
	processName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)
	variable    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
	account     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?$`)
	signal      = regexp.MustCompile(`^SIG[A-Z0-9+-]{1,12}$`)
)

// Bounds of what a document may ask of vigild for a process.
const (
	maxCommand = 64 << 10  // bytes of a whole definition
	maxLog     = 256 << 20 // bytes of a log before its older half goes
	maxWait    = time.Hour
)

// command is the one of the document, nil when it brings none. What is a program is
// held to the local config's word on commands.
func (v commandSpec) command(s *site.Site) *reconcile.Command {
	if v.Argv == nil {
		if s.Doc.Spec.Get("argv").Absent() {
			v.alone(s)
			return nil
		}
		s.Bad("argv", "expected a list: the whole path of the program and its arguments")
		return nil
	}
	if !s.Trust.Commands {
		s.Mend("argv", "write a [[process]] into the local config and name it here, or set git.trust_commands = true there and sign your commits",
			"%s is a command, and documents are not trusted with commands here", told(v.Argv))
		return nil
	}
	c := &reconcile.Command{Argv: v.Argv, User: v.User, Group: v.Group, Cwd: v.Cwd, Hold: v.Hold.Std(), StopSignal: v.StopSignal, StopTimeout: v.StopTimeout.Std(), Log: v.Log, LogMax: v.LogMax, Limits: v.Limits,
		Ready: reconcile.Ready{Exec: v.Ready.Exec, TCP: v.Ready.TCP, HTTP: v.Ready.HTTP, File: v.Ready.File, After: v.Ready.After.Std(), Timeout: v.Ready.Timeout.Std()}}
	program(s, "argv", v.Argv)
	if v.Ready.Exec != nil {
		program(s, "ready.exec", v.Ready.Exec)
	}
	for field, name := range map[string]string{"user": v.User, "group": v.Group} {
		if name != "" && !account.MatchString(name) {
			s.Bad(field, "%q is no account", name)
		}
	}
	for field, p := range map[string]string{"cwd": v.Cwd, "ready.file": v.Ready.File} {
		if p != "" && !strings.HasPrefix(p, "/") {
			s.Bad(field, "%q is not a whole path", p)
		}
	}
	if v.StopSignal != "" && !signal.MatchString(v.StopSignal) {
		s.Mend("stop_signal", "write one such as SIGINT", "%q is no signal", v.StopSignal)
	}
	for field, d := range map[string]document.Duration{"stop_timeout": v.StopTimeout, "hold": v.Hold, "ready.timeout": v.Ready.Timeout, "ready.after": v.Ready.After} {
		if d.Std() > maxWait {
			s.Bad(field, "%v is longer than %v", d, document.Duration(maxWait))
		}
	}
	if v.Log != "" && v.Log != "none" {
		s.Path("log", v.Log)
	}
	if v.LogMax < 0 || v.LogMax > maxLog {
		s.Bad("log_max", "expected 0 to %d bytes", maxLog)
	}
	v.variables(s, c)
	if n := len(c.Bytes()); n > maxCommand {
		s.Bad("argv", "the command and its settings have %d bytes, at most %d are kept", n, maxCommand)
	}
	return c
}

// alone refuses the settings of a command without the command.
func (v commandSpec) alone(s *site.Site) {
	for _, field := range []string{"user", "group", "env", "cwd", "ready", "hold", "stop_signal", "stop_timeout", "log", "log_max", "limits"} {
		if !s.Doc.Spec.Get(field).Absent() {
			s.Mend(field, "add argv, or write it into the [[process]] of the local config", "%s belongs to a command, and the document brings none", field)
		}
	}
}

// program checks what is started.
func program(s *site.Site, field string, argv []string) {
	if len(argv) == 0 || !strings.HasPrefix(argv[0], "/") {
		s.Bad(field, "expected a list: the whole path of the program and its arguments")
		return
	}
	if slices.ContainsFunc(argv, func(a string) bool { return strings.ContainsRune(a, 0) }) {
		s.Bad(field, "a zero byte cannot be passed to a program")
	}
	if slices.ContainsFunc(s.Trust.Refused, func(own string) bool { return reconcile.Below(own, argv[0]) }) {
		s.Bad(field, "%s belongs to vigild itself, which no document may start", argv[0])
	}
}

// variables reads the environment. Values that are sealed are told to nobody; a
// command line is in everybody's sight, and so nothing of it can be.
func (v commandSpec) variables(s *site.Site, c *reconcile.Command) {
	for _, name := range slices.Sorted(maps.Keys(v.Env)) {
		if !variable.MatchString(name) || strings.HasPrefix(name, "VIGIL_") {
			s.Bad("env", "%q cannot be a variable of a process (names that begin with VIGIL_ are vigild's)", name)
			continue
		}
		was := s.Sealed
		s.Sealed = false
		text := s.Text("env."+name, v.Env[name], false)
		if s.Sealed {
			c.Sealed = append(c.Sealed, name)
		}
		s.Sealed = s.Sealed || was
		if strings.ContainsRune(text, 0) {
			s.Bad("env."+name, "a zero byte cannot be passed to a program")
		}
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		c.Env[name] = text
	}
}

// patience is how long it takes at most to stop what runs.
func patience(seen reconcile.State) time.Duration {
	d, _ := time.ParseDuration(cmp.Or(seen["stop_timeout"], "10s")) // as Command.Into wrote it
	return d + 20*time.Second
}
