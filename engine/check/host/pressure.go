package host

import (
	"bytes"
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// pressure reads /proc/pressure: how long work stood still for want of a
// resource. `some` is waiting, `full` is stalled.
type pressure struct {
	of    []pressureFile
	avg10 *kernel.Vec
}

type pressureFile struct {
	path          string
	resource      []byte
	waiting, full series.Labels // nil: not told for this resource
}

func newPressure(cfg Config) *pressure {
	dir := cfg.Proc + "/pressure/"
	return &pressure{
		of: []pressureFile{
			{dir + "cpu", []byte("cpu"), kernel.One("node_pressure_cpu_waiting_seconds_total"), nil},
			{dir + "memory", []byte("memory"), kernel.One("node_pressure_memory_waiting_seconds_total"), kernel.One("node_pressure_memory_stalled_seconds_total")},
			{dir + "io", []byte("io"), kernel.One("node_pressure_io_waiting_seconds_total"), kernel.One("node_pressure_io_stalled_seconds_total")},
			{dir + "irq", []byte("irq"), nil, kernel.One("node_pressure_irq_stalled_seconds_total")},
		},
		avg10: kernel.NewVec("vigil_pressure_ratio", "resource", "kind"),
	}
}

func (p *pressure) Names() []string {
	out := kernel.Names(p.avg10)
	for _, f := range p.of {
		for _, ls := range []series.Labels{f.waiting, f.full} {
			if ls != nil {
				out = append(out, ls.Name())
			}
		}
	}
	return out
}

var (
	wordSome, wordFull       = []byte("some"), []byte("full")
	wordWaiting, wordStalled = []byte("waiting"), []byte("stalled")
)

// collect treats a kernel without pressure, and one booted with it switched
// off (which answers "not supported"), as a machine that has none.
func (p *pressure) Collect(ctx context.Context, r *kernel.Round) error {
	read := 0
	for _, f := range p.of {
		b, err := r.Read(f.path)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return err
		}
		read++
		for len(b) > 0 {
			var l []byte
			l, b = kernel.Line(b)
			p.one(r, f, l)
		}
	}
	if read == 0 {
		return kernel.ErrAbsent
	}
	return nil
}

func (p *pressure) one(r *kernel.Round, f pressureFile, l []byte) {
	word, rest := kernel.Field(l)
	ls, kind := f.waiting, wordWaiting
	if bytes.Equal(word, wordFull) {
		ls, kind = f.full, wordStalled
	} else if !bytes.Equal(word, wordSome) {
		return
	}
	if ls == nil {
		return
	}
	for len(rest) > 0 {
		word, rest = kernel.Field(rest)
		key, text, _ := bytes.Cut(word, []byte("="))
		v, ok := kernel.Number(text)
		if !ok {
			continue
		}
		switch string(key) {
		case "avg10":
			r.Emit(p.avg10.At(f.resource, kind), v/100)
		case "total": // microseconds
			r.Emit(ls, v/1e6)
		}
	}
}
