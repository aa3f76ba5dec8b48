package ingest

import (
	"sync"

	"vigil/api/ingest/wire"
	"vigil/engine/series"
)

// names counts taken samples by metric name, for the original's ingest_total.
// Only JSON is counted: the protocol that carries millions a second has no such
// figure to keep. Names beyond the cap are counted together.
type names struct {
	mu sync.Mutex
	by map[string]*uint64
}

// namesKept bounds the label values; senders choose them.
const namesKept = 500

var other = []byte("other")

func (n *names) count(b *series.Batch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil {
		n.by = map[string]*uint64{}
	}
	for i := range b.Items {
		it := &b.Items[i]
		if it.Hi == it.Lo {
			continue
		}
		name := firstValue(it.Key)
		c := n.by[string(name)]
		if c == nil && len(n.by) >= namesKept {
			name = other
			c = n.by[string(name)]
		}
		if c == nil {
			c = new(uint64)
			n.by[string(name)] = c
		}
		*c += uint64(it.Hi - it.Lo)
	}
}

// firstValue is the value of a key's first label, which JSON writes as the name.
func firstValue(key []byte) []byte {
	from, _, ok := wire.Span(key, 1)
	if !ok {
		return nil
	}
	_, to, ok := wire.Span(key, from+1)
	if !ok {
		return nil
	}
	from, to, ok = wire.Span(key, to+1)
	if !ok {
		return nil
	}
	return key[from:to]
}

// Names visits the counts by metric name.
func (h *Handler) Names(visit func(name string, n uint64)) {
	h.names.mu.Lock()
	defer h.names.mu.Unlock()
	for k, v := range h.names.by {
		visit(k, *v)
	}
}
