package engine

import "vigil/engine/clock"

// Token is a credential of the HTTP face as it lies in the ledger: never the
// secret, only its hash, so that a stolen ledger opens nothing.
type Token struct {
	Name    string
	Hash    [32]byte // SHA-256 of the secret text
	Role    string   // viewer, pusher, operator, admin
	Created clock.Stamp
	Expires clock.Stamp // zero: never
	Used    clock.Stamp // about when it was last presented; zero: never
}
