package host

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"

	"vigil/engine/series"
)

// pressure reads /proc/pressure: how long work stood still for want of a
// resource. `some` is waiting, `full` is stalled.
type pressure struct {
	of    []pressureFile
	avg10 *vec
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
			{dir + "cpu", []byte("cpu"), one("node_pressure_cpu_waiting_seconds_total"), nil},
			{dir + "memory", []byte("memory"), one("node_pressure_memory_waiting_seconds_total"), one("node_pressure_memory_stalled_seconds_total")},
			{dir + "io", []byte("io"), one("node_pressure_io_waiting_seconds_total"), one("node_pressure_io_stalled_seconds_total")},
			{dir + "irq", []byte("irq"), nil, one("node_pressure_irq_stalled_seconds_total")},
		},
		avg10: newVec("vigil_pressure_ratio", "resource", "kind"),
	}
}

func (p *pressure) names() []string {
	out := vecNames(p.avg10)
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
func (p *pressure) collect(r *round) error {
	read := 0
	for _, f := range p.of {
		b, err := r.read(f.path)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return err
		}
		read++
		for len(b) > 0 {
			var l []byte
			l, b = line(b)
			p.one(r, f, l)
		}
	}
	if read == 0 {
		return errAbsent
	}
	return nil
}

func (p *pressure) one(r *round, f pressureFile, l []byte) {
	word, rest := field(l)
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
		word, rest = field(rest)
		key, text, _ := bytes.Cut(word, []byte("="))
		v, ok := number(text)
		if !ok {
			continue
		}
		switch string(key) {
		case "avg10":
			r.emit(p.avg10.at(f.resource, kind), v/100)
		case "total": // microseconds
			r.emit(ls, v/1e6)
		}
	}
}
