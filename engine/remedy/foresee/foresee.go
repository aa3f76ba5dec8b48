// Package foresee is what an act of a plan would fail with, asked before anything of the
// plan is done.
//
// It refuses to guess: what nobody can know beforehand the act finds out. It holds
// nouns alone, and starts nothing.
package foresee

import "vigil/engine/remedy"

// Foreseer is an Action that knows beforehand what would stop an act on this host, such
// as an account that is not there, or a folder where a file should be.
type Foreseer interface {
	// Foresee reads only, does not block for long, and may be called concurrently.
	// Its error is what Run would fail with after the acts that a knows of; it notes
	// in a what the act leaves, whether it could be done or not.
	Foresee(r remedy.Request, a *Ahead) error
}

// Ahead is what is known, when an act is asked about, of those that come before it
// in the same plan. Its zero value is a plan's beginning; it belongs to one goroutine.
type Ahead struct {
	Bytes   int64  // that the act which is asked about brings along
	Content []byte // those bytes, nil where it brings none; they are kept for the act when it is queued
	// Programs says that a program, or something else that nobody foresees, runs before:
	// what it makes or removes is not known.
	Programs bool
	// Taken are the bytes that acts before will have written, by file system.
	Taken map[uint64]int64
	// Sight is what the kind of act that touches files looks at once for all of them.
	Sight any
	left  map[string]Left
}

// Left is what an act leaves at a path.
type Left string

// What may be left.
const (
	Nothing   Left = ""
	File      Left = "file"
	Directory Left = "directory"
)

// Leaves notes what the act that was asked about leaves at a path.
func (a *Ahead) Leaves(path string, l Left) {
	if a.left == nil {
		a.left = map[string]Left{}
	}
	a.left[path] = l
}

// At is what acts before leave at a path; known is false where they leave it alone.
func (a *Ahead) At(path string) (l Left, known bool) {
	l, known = a.left[path]
	return l, known
}
