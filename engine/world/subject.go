package world

import (
	"context"
	"strings"
)

// Bounds of what is read about the subject itself.
const (
	journalLines = 100
	logBytes     = 32 << 10
)

// unit is how the unit stands that is about to be acted on.
func (w *World) unit(ctx context.Context, subject string) (any, error) {
	name, ok := strings.CutPrefix(subject, "systemd:")
	if !ok || w.deps.Unit == nil {
		return nil, errNothing
	}
	return w.deps.Unit(ctx, name)
}

// log is the last words of the subject.
func (w *World) log(ctx context.Context, subject string) (any, error) {
	var b []byte
	var err error
	if name, ok := strings.CutPrefix(subject, "systemd:"); ok && w.deps.Journal != nil {
		b, err = w.deps.Journal(ctx, name, journalLines)
	} else if name, ok := strings.CutPrefix(subject, "process:"); ok && w.deps.Log != nil {
		b, err = w.deps.Log(name, logBytes)
	} else {
		return nil, errNothing
	}
	if err != nil {
		return nil, err
	}
	if len(b) > logBytes {
		b = b[len(b)-logBytes:]
	}
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(string(b), "?")) {
		lines = append(lines, cover(strings.TrimRight(line, "\r\n")))
	}
	return lines, nil
}
