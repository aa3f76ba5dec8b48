package live

import (
	"strings"

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
// name. Behind it stands which of its checks does, if one. It lies in their
// definitions, so that they stay its own over a restart, and the check's.
const ownToken = "(vigild)"

// isOwn says whether a token is vigild's.
func isOwn(token string) bool { return strings.HasPrefix(token, ownToken) }

// capped says whether the share is bounded by a cap of its own.
func (sh *share) capped() bool { return sh.name != "" && !isOwn(sh.name) }

// tokenOf is who a new series of b belongs to.
func tokenOf(b *series.Batch) string {
	if b.Own {
		return ownToken + b.Token
	}
	return b.Token
}

// WrittenBy says whether a check of vigild's wrote the series last; "" is any.
func (h *Head) WrittenBy(check string) bool {
	token := h.share.Load().token
	return check == "" || isOwn(token) && token[len(ownToken):] == check
}

// Keeps says that whose the series is stays so when a check writes it.
func (h *Head) Keeps(check string) bool { return h.many.Load() || h.WrittenBy(check) }

// Fingerprint is that of the labels.
func (h *Head) Fingerprint() uint64 { return h.print }

// Written lists the series of vigild's own by the check that wrote each last.
func (r *Registry) Written() map[string][]*Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string][]*Head{}
	for l := range r.locals.n {
		h := r.locals.at(series.Local(l))
		if h == nil || !h.Owned.Load() {
			continue
		}
		if check := h.share.Load().token[len(ownToken):]; check != "" {
			out[check] = append(out[check], h)
		}
	}
	return out
}

// own makes h vigild's, by the token of the check that writes it: a series that
// somebody pushed before, or another check, is taken over. One that goes back and forth
// between checks is none of theirs any more, for this run: each turn would be written
// to the log. The lock is held.
func (r *Registry) own(h *Head, token string) {
	h.Owned.Store(true)
	is := h.share.Load().token
	if is == token || isOwn(is) && (token == ownToken || h.many.Load()) {
		return
	}
	if isOwn(is) && is != ownToken {
		if h.moved {
			h.many.Store(true)
			token = ownToken
		}
		h.moved = true
	}
	r.give(h, token)
}

// give makes h a token's, and its definition is told anew; the lock is held.
func (r *Registry) give(h *Head, token string) {
	r.disown(h)
	sh := r.shareOf(token, nil)
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
	if !isOwn(token) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.Owned.Store(true); h.share.Load().token != token {
		r.give(h, token)
	}
}
