package probe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"vigil/engine/check/nagios"
	"vigil/engine/document"
	"vigil/engine/series"
)

// Program runs a Nagios plugin, unchanged, or an entry of the local catalogue.
// A document names it and gives no argv of its own.
type Program struct {
	Program string            `yaml:"program"`  // catalogue entry, or plugin by file name
	Args    []string          `yaml:"args"`     // for a plugin
	Params  map[string]string `yaml:"params"`   // for a catalogue entry
	User    string            `yaml:"user"`     // whom it runs as
	ExitMap map[string]int    `yaml:"exit_map"` // exit code to status 0..3, before the usual reading
	Match   string            `yaml:"match"`    // regular expression that the output must hold
}

// killAfter is kept free of the timeout, so that the launcher's own end of the
// program comes before the round's.
const killAfter = 200 * time.Millisecond

const maxArgs = 64

// Build is described at Params.
func (p *Program) Build(s *Site) Check {
	c := &program{Program: *p, site: s, status: s.metric(nameStatus), perf: map[perfKey]series.Labels{}}
	switch {
	case p.Program == "":
		s.bad("program", "expected the name of a catalogue entry or of a plugin")
	case strings.ContainsAny(p.Program, "/\x00") || p.Program == "." || p.Program == "..":
		s.bad("program", "%q is a path: expected a name, looked for in the folders that the local config allows", p.Program)
	}
	if len(p.Args) > maxArgs {
		s.bad("args", "%d arguments are too many: at most %d", len(p.Args), maxArgs)
	}
	for _, a := range p.Args {
		if strings.ContainsRune(a, 0) {
			s.bad("args", "an argument holds a zero byte")
		}
	}
	for code, status := range p.ExitMap {
		var exit int
		if n, err := fmt.Sscanf(code, "%d", &exit); n != 1 || err != nil || exit < 0 || exit > 255 || status < nagios.OK || status > nagios.Unknown {
			s.bad("exit_map", "%s: %d is no mapping of an exit code (0 to 255) to a status (0 to 3)", code, status)
			continue
		}
		if c.exits == nil {
			c.exits = map[int]int{}
		}
		c.exits[exit] = status
	}
	if p.Match != "" {
		var err error
		if c.match, err = regexp.Compile(p.Match); err != nil {
			s.bad("match", "not a regular expression: %v", err)
		}
	}
	return c
}

type perfKey struct{ label, unit string }

type program struct {
	Program
	site   *Site
	exits  map[int]int
	match  *regexp.Regexp
	status series.Labels
	perf   map[perfKey]series.Labels
	text   atomic.Pointer[string]
}

// Text is the plugin's first line.
func (c *program) Text() string {
	if t := c.text.Load(); t != nil {
		return *t
	}
	return ""
}

// Collect runs the program. OK and WARNING are up, which is what Nagios calls a
// hard state of a service that works; the status tells them apart.
func (c *program) Collect(ctx context.Context, emit Emit) error {
	if c.site.Deps.Launch == nil {
		return errors.New("programs cannot be started here")
	}
	timeout := c.site.Timeout
	if timeout > 2*killAfter {
		timeout -= killAfter
	}
	end, err := c.site.Deps.Launch(ctx, Command{
		Name: c.Program.Program, Args: c.Args, Params: c.Params, User: c.User,
		Timeout: timeout, MaxOutput: c.site.MaxOutput,
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", c.Program.Program, err)
	}
	out := end.Output
	if len(out) > c.site.MaxOutput {
		out = out[:c.site.MaxOutput]
	}
	o := nagios.Parse(out)
	text := o.Text
	c.text.Store(&text)
	if end.TimedOut {
		emit(c.status, nagios.Unknown)
		return fmt.Errorf("%s did not end within %v", c.Program.Program, document.Duration(timeout))
	}
	status, mapped := c.exits[end.Exit]
	if !mapped {
		status = nagios.Status(end.Exit)
	}
	matches := c.match == nil || c.match.Match(out)
	if !matches && status < nagios.Critical {
		status = nagios.Critical
	}
	emit(c.status, float64(status))
	for _, p := range o.Perf {
		emit(c.perfLabels(p), p.Value)
	}
	switch {
	case !matches:
		return down("the output does not match %q: %s", c.Match, o.Text)
	case status >= nagios.Critical && end.Exit < 0:
		return down("%s was ended by a signal", c.Program.Program)
	case status >= nagios.Critical:
		return down("%s (exit %d): %s", nagios.Word(status), end.Exit, o.Text)
	}
	return nil
}

func (c *program) perfLabels(p nagios.Perf) series.Labels {
	k := perfKey{p.Label, p.Unit}
	ls, ok := c.perf[k]
	if !ok {
		if len(c.perf) >= 4*nagios.MaxPerf {
			clear(c.perf)
		}
		ls = c.site.metric(namePerf, "label", p.Label, "unit", p.Unit)
		c.perf[k] = ls
	}
	return ls
}
