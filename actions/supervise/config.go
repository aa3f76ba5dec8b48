package supervise

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// Process is one `[[process]]` of the local config, or what a document declares in
// the same words; as JSON its durations are whole nanoseconds.
type Process struct {
	Name        string            `toml:"name" json:"name,omitempty"`
	Argv        []string          `toml:"argv" json:"argv"`           // absolute path first
	User        string            `toml:"user" json:"user,omitempty"` // "" is vigild's own; no supplementary groups either way
	Group       string            `toml:"group" json:"group,omitempty"`
	Env         map[string]string `toml:"env" json:"env,omitempty"` // with a fixed PATH and LANG, the whole environment
	Cwd         string            `toml:"cwd" json:"cwd,omitempty"` // "" is /
	Ready       Ready             `toml:"ready" json:"ready,omitzero"`
	Hold        time.Duration     `toml:"hold" json:"hold,omitempty"`                 // how long it has to stand for its start to count as good; 0 is 1 s
	StopSignal  string            `toml:"stop_signal" json:"stop_signal,omitempty"`   // "" is SIGTERM
	StopTimeout time.Duration     `toml:"stop_timeout" json:"stop_timeout,omitempty"` // then SIGKILL; 0 is 10 s
	Autostart   *bool             `toml:"autostart" json:"autostart,omitempty"`       // unset is true
	Log         string            `toml:"log" json:"log,omitempty"`                   // "" is process/NAME.log in the data directory; "none" or an absolute path
	LogMax      int64             `toml:"log_max" json:"log_max,omitempty"`           // bytes, then the older half is dropped; 0 is 8 MiB
	Limits      map[string]uint64 `toml:"limits" json:"limits,omitempty"`
}

// Ready says when a started process serves: the one way that is set, none is at
// once. Timeout bounds the waiting; 0 is 30 s.
type Ready struct {
	Exec    []string      `toml:"exec" json:"exec,omitempty"` // a program that exits with 0
	TCP     string        `toml:"tcp" json:"tcp,omitempty"`   // host:port that takes a connection
	HTTP    string        `toml:"http" json:"http,omitempty"` // URL that answers 2xx or 3xx
	File    string        `toml:"file" json:"file,omitempty"` // a path that exists and is younger than the start
	After   time.Duration `toml:"after" json:"after,omitempty"`
	Timeout time.Duration `toml:"timeout" json:"timeout,omitempty"`
}

// Config is what the supervisor keeps, and where it remembers it.
type Config struct {
	Processes []Process
	Dir       string // in the data directory; made if need be, 0700
	Declared  bool   // what documents declare is kept too
}

// maxKept is how many processes are kept, the declared ones with them.
const maxKept = 1000

var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// Validate names every fault by its key path, file-independent.
func (c Config) Validate() error {
	var is fault.Issues
	seen := map[string]bool{}
	if len(c.Processes) > maxKept {
		is.Add("process", "there are %d processes, at most %d are kept", len(c.Processes), maxKept)
	}
	for i, p := range c.Processes {
		at := fmt.Sprintf("process[%d]", i)
		if !nameShape.MatchString(p.Name) {
			is.Add(at+".name", "%q is not a name: lower-case letters, digits, '-', '_', '.', at most 63", p.Name)
		} else {
			at = "process." + p.Name
			if seen[p.Name] {
				is.Add(at, "the name is used twice")
			}
			seen[p.Name] = true
		}
		p.validate(at, &is)
	}
	return is.Err()
}

func (p Process) validate(at string, is *fault.Issues) {
	if len(p.Argv) == 0 || !filepath.IsAbs(p.Argv[0]) {
		is.Add(at+".argv", "argv needs an absolute path as its first element")
	}
	for i, a := range p.Argv {
		if strings.ContainsRune(a, 0) {
			is.Add(fmt.Sprintf("%s.argv[%d]", at, i), "a zero byte cannot be passed to a program")
		}
	}
	for k, v := range p.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) || strings.HasPrefix(k, "VIGIL_") {
			is.Add(at+".env", "%q cannot be set (names beginning with VIGIL_ are vigild's)", k)
		}
	}
	if p.Cwd != "" && !filepath.IsAbs(p.Cwd) {
		is.Add(at+".cwd", "%q is not an absolute path", p.Cwd)
	}
	if _, ok := p.signal(); !ok {
		is.Add(at+".stop_signal", "there is no signal %q", p.StopSignal)
	}
	if p.StopTimeout < 0 || p.StopTimeout > time.Hour {
		is.Add(at+".stop_timeout", "%v is not between 0 and 1h", p.StopTimeout)
	}
	if p.Hold < 0 || p.Hold > time.Hour {
		is.Add(at+".hold", "%v is not between 0 and 1h", p.Hold)
	}
	if p.Log != "" && p.Log != "none" && !filepath.IsAbs(p.Log) {
		is.Add(at+".log", "%q is neither \"none\" nor an absolute path", p.Log)
	}
	if p.LogMax < 0 {
		is.Add(at+".log_max", "%d is negative", p.LogMax)
	}
	if err := launch.CheckLimits(p.Limits); err != nil {
		is.Add(at+".limits", "%v", err)
	}
	p.Ready.validate(at+".ready", is)
}

func (r Ready) validate(at string, is *fault.Issues) {
	n := 0
	for _, set := range []bool{len(r.Exec) > 0, r.TCP != "", r.HTTP != "", r.File != "", r.After != 0} {
		if set {
			n++
		}
	}
	if n > 1 {
		is.Add(at, "only one of exec, tcp, http, file and after may be set")
	}
	if len(r.Exec) > 0 && !filepath.IsAbs(r.Exec[0]) {
		is.Add(at+".exec", "exec needs an absolute path as its first element")
	}
	if r.TCP != "" && !strings.Contains(r.TCP, ":") {
		is.Add(at+".tcp", "%q is not host:port", r.TCP)
	}
	if r.HTTP != "" && !strings.HasPrefix(r.HTTP, "http://") && !strings.HasPrefix(r.HTTP, "https://") {
		is.Add(at+".http", "%q is not an http or https URL", r.HTTP)
	}
	if r.File != "" && !filepath.IsAbs(r.File) {
		is.Add(at+".file", "%q is not an absolute path", r.File)
	}
	if r.Timeout < 0 || r.After < 0 || r.After > r.timeout() {
		is.Add(at, "after (%v) must be between 0 and the timeout (%v)", r.After, r.timeout())
	}
}

func (r Ready) timeout() time.Duration {
	if r.Timeout == 0 {
		return 30 * time.Second
	}
	return r.Timeout
}

func (p Process) signal() (syscall.Signal, bool) {
	if p.StopSignal == "" {
		return unix.SIGTERM, true
	}
	s := unix.SignalNum(p.StopSignal)
	return s, s != 0
}

func (p Process) patience() time.Duration {
	if p.StopTimeout == 0 {
		return 10 * time.Second
	}
	return p.StopTimeout
}

// Stands is how long it has to run for its start to count as good.
func (p Process) Stands() time.Duration {
	if p.Hold == 0 {
		return time.Second
	}
	return p.Hold
}

func (p Process) auto() bool { return p.Autostart == nil || *p.Autostart }
