// Package atonce lets what a decision queues be claimed in the very transaction
// that queues it: one wait for the disk between a breach and its act, not two.
//
// A [Journal] stands before the ledger. For each new remediation it asks the
// worker, which prepares the claim if a place among its acts is free; the ledger
// asks the gates and opens the attempt while it writes the decision; and only
// when that is durable does the worker hear of it. What is not taken, or could
// not be claimed, is queued as ever and found there.
//
// It refuses to decide, to act, and to keep anything. An offer is settled exactly
// once, whatever the ledger says. Nothing is started; Commit blocks on disk and
// may be called concurrently.
package atonce

import (
	"context"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Journal is a journal whose new remediations are offered to a taker.
type Journal struct {
	engine.Journal
	taker remedy.Taker
}

// New makes a journal in front of another; until it is introduced to a taker it
// changes nothing.
func New(j engine.Journal) *Journal { return &Journal{Journal: j} }

// Introduce names who takes. It is called once, before anything commits.
func (j *Journal) Introduce(t remedy.Taker) { j.taker = t }

// Commit is the journal's, with the claims of what can be acted on at once. When
// a claim could not be written the decision is written without.
func (j *Journal) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if j.taker == nil || len(d.Remediations) == 0 || len(d.Claims) > 0 {
		return j.Journal.Commit(ctx, d)
	}
	offers := j.offers(ctx, d)
	if len(offers) == 0 {
		return j.Journal.Commit(ctx, d)
	}
	var rc engine.Receipt
	defer func() { settle(offers, rc.Claimed) }() // also when the ledger panics
	with := *d
	with.Claims = make(map[int]remedy.Claim, len(offers))
	for i, o := range offers {
		with.Claims[i] = o.Claim
	}
	got, err := j.Journal.Commit(ctx, &with)
	switch fault.KindOf(err) {
	case fault.OK:
		rc = got
		return rc, nil
	case fault.Unavailable, fault.Cancelled, fault.Timeout, fault.Corrupt:
		return engine.Receipt{}, err // it is not the claims' fault, and without them it would be no better
	}
	return j.Journal.Commit(ctx, d)
}

// offers asks the taker for each new remediation. Where the decision writes the
// firing behind it, the claim compares the version that the firing will have.
func (j *Journal) offers(ctx context.Context, d *engine.Decision) map[int]remedy.Offer {
	var out map[int]remedy.Offer
	for i, r := range d.Remediations {
		o, ok := j.taker.Offer(ctx, r)
		if !ok {
			continue
		}
		if !follow(&o.Claim, d) {
			o.Settle(nil)
			continue
		}
		if out == nil {
			out = map[int]remedy.Offer{}
		}
		out[i] = o
	}
	return out
}

// follow makes a claim's firing version that which the decision writes. False:
// the facts are of another firing than the decision's.
func follow(c *remedy.Claim, d *engine.Decision) bool {
	if c.Policy == "" {
		return true
	}
	for i := range d.Firings {
		f := &d.Firings[i]
		if f.Policy != c.Policy || f.Fingerprint != c.Fingerprint {
			continue
		}
		if f.Version != c.FiringVersion || f.Closed != "" {
			return false
		}
		c.FiringVersion++
		return true
	}
	return c.FiringVersion != 0
}

func settle(offers map[int]remedy.Offer, claimed map[int]remedy.Move) {
	for i, o := range offers {
		if m, ok := claimed[i]; ok {
			o.Settle(&m)
		} else {
			o.Settle(nil)
		}
	}
}
