package powercut

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// sector is what a disk writes whole.
const sector = 512

// Image is the content of files that lie on the disk, by name.
type Image map[string][]byte

// ReadImage reads files as they are now; those that are missing are left out.
func ReadImage(dir string, names ...string) (Image, error) {
	im := Image{}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		im[n] = b
	}
	return im, nil
}

// Write puts the image into an empty directory.
func (im Image) Write(dir string) error {
	for n, b := range im {
		if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Explorer walks the record and rebuilds what a cut could leave at each place.
type Explorer struct {
	ops     []op
	at      int
	durable Image           // what the disk certainly holds
	pending map[string][]op // what was asked since the last sync, by file
	fresh   map[string]bool // files whose name is not certain yet
	gone    map[string]bool // files whose removal is not certain yet
}

// Explore begins at the start of the record, from files that were on disk then.
func (r *Recorder) Explore(base Image) *Explorer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Explorer{
		ops: append([]op(nil), r.ops...), durable: maps.Clone(base),
		pending: map[string][]op{}, fresh: map[string]bool{}, gone: map[string]bool{},
	}
}

// At is how many calls had been made before the cut.
func (e *Explorer) At() int { return e.at }

// Step lets one more call happen; false at the end of the record.
func (e *Explorer) Step() bool {
	if e.at == len(e.ops) {
		return false
	}
	o := e.ops[e.at]
	e.at++
	switch o.kind {
	case Open:
		if _, ok := e.durable[o.name]; !ok && !e.fresh[o.name] {
			e.fresh[o.name] = true
		}
		if e.gone[o.name] { // made again under a name whose removal may be lost
			e.pending[o.name] = append(e.pending[o.name], op{kind: Truncate})
			delete(e.gone, o.name)
		}
	case Write, Truncate:
		e.pending[o.name] = append(e.pending[o.name], o)
	case Sync:
		b := e.durable[o.name]
		for _, p := range e.pending[o.name] {
			b = apply(b, p, nil)
		}
		e.durable = maps.Clone(e.durable)
		e.durable[o.name] = b
		delete(e.pending, o.name)
		delete(e.fresh, o.name)
	case Delete:
		delete(e.pending, o.name)
		delete(e.fresh, o.name)
		if o.synced {
			e.durable = maps.Clone(e.durable)
			delete(e.durable, o.name)
			delete(e.gone, o.name)
		} else if _, ok := e.durable[o.name]; ok {
			e.gone[o.name] = true
		}
	}
	return true
}

// Dirty says whether anything is not on disk for certain.
func (e *Explorer) Dirty() bool { return len(e.pending)+len(e.gone)+len(e.fresh) > 0 }

// Cut is one state that a power cut here may leave: of what was not synced, any
// subset of the calls in any order that matters, and of a write any subset of
// its sectors.
func (e *Explorer) Cut(rnd *rand.Rand) Image {
	im := Image{}
	// How much survives differs from state to state: nothing, all, or some.
	share := [...]float64{0, 1, 0.5, rnd.Float64(), 0.95, 0.05}[rnd.IntN(6)]
	keep := func() bool { return rnd.Float64() < share }
	for n, b := range e.durable {
		if e.gone[n] && keep() {
			continue
		}
		im[n] = b
	}
	for n, ps := range e.pending {
		b, there := im[n]
		if !there && !e.fresh[n] {
			continue
		}
		b = append([]byte(nil), b...)
		for _, p := range ps {
			if p.kind == Truncate {
				if keep() {
					b = apply(b, p, nil)
				}
				continue
			}
			b = apply(b, p, keep)
		}
		im[n] = b
	}
	for n := range e.fresh {
		if !keep() {
			delete(im, n)
		} else if _, ok := im[n]; !ok {
			im[n] = nil
		}
	}
	return im
}

// apply changes a copy of b. keep decides for each sector; nil keeps all.
func apply(b []byte, p op, keep func() bool) []byte {
	if p.kind == Truncate {
		out := make([]byte, p.off)
		copy(out, b)
		return out
	}
	end := p.off + int64(len(p.data))
	for off := p.off; off < end; {
		next := min(end, (off/sector+1)*sector)
		if keep == nil || keep() {
			if int64(len(b)) < next {
				b = append(b[:len(b):len(b)], make([]byte, next-int64(len(b)))...)
			} else if off == p.off {
				b = append([]byte(nil), b...) // the image before stays as it was
			}
			copy(b[off:next], p.data[off-p.off:])
		}
		off = next
	}
	return b
}
