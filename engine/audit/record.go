// Package audit is what was done: records in one hash chain.
//
// Each record's hash covers the previous hash and a versioned, length-prefixed
// binary encoding of every field (never JSON), so any edit, deletion, reorder
// or insert is found and named. The room knows the encoding, the chain and the
// offline verifier; where records lie is the ledger's business.
//
// It refuses I/O and clocks, and it never drops a record. Everything in it is
// pure and safe for concurrent use.
package audit

import "vigil/engine/clock"

// Hash is SHA-256.
type Hash [32]byte

// Record is one decision or act. Seq, Prev and Hash are given by the ledger in
// the transaction that writes it; whoever makes a record leaves them zero.
type Record struct {
	Seq    int64
	Prev   Hash
	Hash   Hash
	At     clock.Stamp
	Actor  string // who: token:NAME, local:root, policy:NAME, commit:ID, peer:ID, vigild
	Verb   string // what: firing.fire, remediation.queue, gate.hold, attempt.start, policy.put, ...
	Object string // on what: policy:web-slow, remediation:17, attempt:1-17-2, ...
	Reason string // why, in one sentence
	// Evidence is what the decision stood on, as JSON: the expression with every
	// sub-value, the samples used, each gate's answer. Hashed as bytes.
	Evidence []byte
}
