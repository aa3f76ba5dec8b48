package live

// prints finds heads by the fingerprint of their labels: an open-addressed table
// of which at most three quarters are in use. Several heads may share a
// fingerprint.
type prints struct {
	slot []*Head
	used int
}

// add takes h in, which must not be there.
func (p *prints) add(h *Head) {
	if (p.used+1)*4 > len(p.slot)*3 {
		old := p.slot
		p.slot = make([]*Head, max(64, 2*len(old)))
		for _, o := range old {
			if o != nil {
				p.place(o)
			}
		}
	}
	p.place(h)
	p.used++
}

func (p *prints) place(h *Head) {
	mask := uint64(len(p.slot) - 1)
	i := h.print & mask
	for p.slot[i] != nil {
		i = (i + 1) & mask
	}
	p.slot[i] = h
}

// find returns the head with this fingerprint that is says yes to, nil for none.
func (p *prints) find(print uint64, is func(*Head) bool) *Head {
	if len(p.slot) == 0 {
		return nil
	}
	mask := uint64(len(p.slot) - 1)
	for i := print & mask; p.slot[i] != nil; i = (i + 1) & mask {
		if h := p.slot[i]; h.print == print && is(h) {
			return h
		}
	}
	return nil
}

// remove takes h out. What was pushed on by it moves back, so that no search ends
// early.
func (p *prints) remove(h *Head) {
	mask := uint64(len(p.slot) - 1)
	i := h.print & mask
	for p.slot[i] != h {
		if p.slot[i] == nil {
			return
		}
		i = (i + 1) & mask
	}
	p.used--
	for j := (i + 1) & mask; p.slot[j] != nil; j = (j + 1) & mask {
		// The head at j may fill the hole unless its own place lies between.
		if home := p.slot[j].print & mask; (j-home)&mask >= (j-i)&mask {
			p.slot[i] = p.slot[j]
			i = j
		}
	}
	p.slot[i] = nil
}
