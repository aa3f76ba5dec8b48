package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
)

// Scratch is the name of the new file, beside the one of this name, in which its
// bytes are written before they count. There is one for each name: what a crash
// left is found again, and a folder that takes away what no document names knows
// it for a write that is under way.
func Scratch(name string) string {
	h := sha256.Sum256([]byte(name))
	return ".vigil-" + hex.EncodeToString(h[:8]) + ".tmp"
}
