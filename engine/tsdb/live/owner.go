package live

import (
	"vigil/engine/series"
)

// share counts the live series of those who share one cap: the token that brought
// them, all callers without one together, vigild itself; name "" is this host's
// own users.
type share struct {
	name, token string
	live        int
}

// openShare is like no token's name.
const openShare = "(open)"

// shareOf is whom a series counts for. The lock is held.
func (r *Registry) shareOf(token string, ls series.Labels) *share {
	name := token
	if token == "" && ls.Get(series.OriginLabel) == series.OriginOpen {
		name = openShare
	}
	sh := r.shares[name]
	if sh == nil {
		sh = &share{name: name, token: token}
		r.shares[name] = sh
	}
	return sh
}

// ownToken is whose series those are that vigild itself measures: like no token's
// name. It lies in their definitions, so that they stay its own over a restart.
const ownToken = "(vigild)"

// capped says whether the share is bounded by a cap of its own.
func (sh *share) capped() bool { return sh.name != "" && sh.name != ownToken }

// tokenOf is who a new series of b belongs to.
func tokenOf(b *series.Batch) string {
	if b.Own {
		return ownToken
	}
	return b.Token
}

// own makes h vigild's, which a check writes: a series that somebody pushed before
// is taken over, and its definition is told anew. The lock is held.
func (r *Registry) own(h *Head) {
	if h.Owned.Swap(true) {
		return
	}
	if h.share.Load().name == ownToken { // it was made so just now
		return
	}
	r.disown(h)
	sh := r.shareOf(ownToken, nil)
	sh.live++
	h.share.Store(sh)
	r.undef = append(r.undef, h)
	r.unsaved = append(r.unsaved, h)
}

// disown takes h out of the count of its share. The lock is held.
func (r *Registry) disown(h *Head) {
	sh := h.share.Load()
	if sh.live--; sh.live == 0 {
		delete(r.shares, sh.name)
	}
}

// Redefined takes in what a later definition of a series says, when the log is
// read: only whose it is can have changed.
func (r *Registry) Redefined(h *Head, token string) {
	if token != ownToken {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own(h)
}
