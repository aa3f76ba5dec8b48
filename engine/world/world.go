// Package world is how things look outside: files, units, kernel parameters and
// processes for those who compare them with what should be, and the bounded
// evidence that is taken before a destructive act.
//
// A path is never followed through a symbolic link, and nothing but a regular
// file is ever opened for its bytes.
//
// It reads and never acts: it starts no program (the journal and the state of units
// come through functions that the daemon hands in) and changes nothing. Environments are not
// read, and what looks like a secret in an argument or a log line is covered.
//
// A capture returns within 2 s and 256 KiB whatever happens. Each section has
// one goroutine at most: one that hangs in the kernel is left behind, named in
// the evidence, and not started again until it has come back.
package world

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

var _ remedy.Capturer = (*World)(nil)

// Bounds of one capture.
const (
	MaxTime  = 2 * time.Second
	MaxBytes = 256 << 10
)

// Deps is what the world cannot read by itself. Nil functions are left out.
type Deps struct {
	// Journal reads the newest lines of a unit's journal.
	Journal func(ctx context.Context, unit string, lines int) ([]byte, error)
	// Log reads the end of a supervised process's log.
	Log func(process string, bytes int) ([]byte, error)
	// Unit reads some properties of a unit, for people.
	Unit func(ctx context.Context, unit string) (map[string]any, error)

	// State reads the properties of a unit as systemd names them (LoadState,
	// ActiveState, UnitFileState, NeedDaemonReload, ActiveEnterTimestamp), and those of
	// a service of another init system by the same names, with Init (its name) and
	// Untold (the fields of a Service that it has no word for).
	State func(ctx context.Context, unit string) (map[string]any, error)
	// Process tells how a process stands that vigild keeps.
	Process func(name string) (reconcile.Process, error)

	Logger *slog.Logger
}

// Config says where the host's /proc is.
type Config struct {
	Proc string // "" is /proc
}

// World observes. Concurrent.
type World struct {
	proc     string
	deps     Deps
	sections []*section
	limit    time.Duration
	names    *accounts
	sums     *sums
	now      func() time.Time
}

// section is one part of the evidence.
type section struct {
	name string
	read func(ctx context.Context, subject string) (any, error)
	busy atomic.Bool
}

var errNothing = errors.New("nothing to say about this subject")

// New makes a World that has looked at nothing yet.
func New(c Config, d Deps) (*World, error) {
	if c.Proc == "" {
		c.Proc = "/proc"
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	w := &World{proc: c.Proc, deps: d, limit: MaxTime - 100*time.Millisecond, names: newAccounts(), sums: newSums(), now: time.Now}
	// In the order of worth: what does not fit any more is left out from the end.
	w.sections = []*section{
		{name: "unit", read: w.unit},
		{name: "log", read: w.log},
		{name: "pressure", read: w.pressure},
		{name: "memory", read: w.memory},
		{name: "processes", read: w.processes},
		{name: "sockets", read: w.sockets},
		{name: "disks", read: w.disks},
	}
	return w, nil
}

type found struct {
	i    int
	text json.RawMessage
}

// Capture takes evidence about a subject. It never fails: what could not be read
// says so in its section.
func (w *World) Capture(ctx context.Context, subject string) json.RawMessage {
	ctx, stop := context.WithTimeout(ctx, w.limit)
	defer stop()
	results := make(chan found, len(w.sections))
	open := 0
	parts := make([]json.RawMessage, len(w.sections))
	for i, s := range w.sections {
		if !s.busy.CompareAndSwap(false, true) {
			parts[i] = text(map[string]string{"error": "an earlier reading of this still hangs"})
			continue
		}
		open++
		parts[i] = text(map[string]string{"error": "not read in time"})
		go func() {
			defer s.busy.Store(false)
			v, err := s.read(ctx, subject)
			switch {
			case errors.Is(err, errNothing):
				v = nil
			case err != nil:
				v = map[string]string{"error": err.Error()}
			}
			results <- found{i, text(v)}
		}()
	}
	for open > 0 {
		select {
		case f := <-results:
			parts[f.i] = f.text
			open--
		case <-ctx.Done():
			open = 0
		}
	}
	return w.join(subject, parts)
}

func text(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return b
}

// join puts the sections together within the bound.
func (w *World) join(subject string, parts []json.RawMessage) json.RawMessage {
	if len(subject) > 1024 {
		subject = subject[:1024]
	}
	out := append([]byte(`{"subject":`), text(subject)...)
	var left []string
	for i, p := range parts {
		if string(p) == "null" {
			continue
		}
		if len(out)+len(p)+256 > MaxBytes {
			left = append(left, w.sections[i].name)
			continue
		}
		out = append(out, `,"`+w.sections[i].name+`":`...)
		out = append(out, p...)
	}
	if len(left) > 0 {
		out = append(out, `,"left_out":`...)
		out = append(out, text(left)...)
	}
	return append(out, '}')
}
