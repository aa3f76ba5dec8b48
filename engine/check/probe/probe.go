// Package probe is the kinds of check, one file each, that a document may ask
// for: process, unit, http, tcp, program, scrape.
//
// A kind is a struct of parameters with yaml tags; Build turns it into a [Check]
// that measures once whenever it is asked. A check that found the thing not as
// it was asked for returns [Down]; any other error says that it could not
// measure. What was emitted before either still counts.
//
// It refuses schedules, retries and staleness, which are the runner's, and
// effects: a program is started by the launcher handed in, never through a
// shell. Everything read from outside is capped in size and time. A check holds
// no goroutine and no connection between two calls.
package probe

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"vigil/engine/check/bus"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// Emit takes one sample; the time is the time of receipt. Not concurrent.
type Emit func(ls series.Labels, v float64)

// Check is one thing that can be measured. Collect blocks until it is measured
// or ctx ends; a check runs at most once at a time. What it emitted before an
// error still counts.
type Check interface {
	Collect(ctx context.Context, emit Emit) error
}

// Concerned is a check that is worth running at once when a systemd unit
// changes, rather than at its next tick.
type Concerned interface {
	Concerns(unit string) bool
}

// Printer is a check that has text for people: what it saw last.
type Printer interface {
	Text() string
}

// Down says that the thing was measured and is not as it was asked to be. It is
// a result, not a failure of the check.
type Down struct{ Reason string }

func (d Down) Error() string { return d.Reason }

func down(format string, args ...any) error { return Down{fmt.Sprintf(format, args...)} }

// Units is what a unit check asks of systemd; *bus.Systemd satisfies it.
type Units interface {
	Match(ctx context.Context, glob string) ([]bus.Unit, error)
	Property(ctx context.Context, unit, kind, name string) (bus.Property, bool, error)
}

// Deps is what kinds need from others.
type Deps struct {
	Launch Launch                           // nil: program checks cannot run
	Secret func(ref string) (string, error) // resolves file:/path and env:NAME; nil: none are known
	Units  Units                            // nil: unit checks cannot run
	Proc   string                           // where procfs is mounted
	Log    *slog.Logger
}

// Params is the parameters of one kind; the pointer to its struct satisfies it.
// Build checks them, adding to the site's issues what is wrong, and makes the
// check; what it returns beside issues is not used.
type Params interface {
	Build(s *Site) Check
}

// Site is where a check is built: its name, its limits, and its document.
type Site struct {
	Name      string
	Timeout   time.Duration
	MaxOutput int // bytes of an answer that are read
	Deps      Deps
	At        func(path ...string) string // place of a parameter in the document
	Issues    fault.Issues
}

// bad notes what is wrong with a parameter.
func (s *Site) bad(key, format string, args ...any) { s.Issues.Add(s.At(key), format, args...) }

// wrong notes what an examination of a parameter found, if anything.
func (s *Site) wrong(key string, err error) {
	if err != nil {
		s.bad(key, "%v", err)
	}
}

// metric makes label sets for one check: name, check=NAME, and pairs of name and
// value.
func (s *Site) metric(name string, pairs ...string) series.Labels {
	ls := []series.Label{{Name: series.NameLabel, Value: name}, {Name: "check", Value: s.Name}}
	for i := 0; i+1 < len(pairs); i += 2 {
		ls = append(ls, series.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return series.New(ls...)
}

// boolean is 1 for true.
func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
