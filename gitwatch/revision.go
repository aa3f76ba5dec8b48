// Package gitwatch is commits in: where revisions come from, and what one says.
//
// A push, a watched repository, a polled remote and a webhook all end in one
// [Revision]; a nudge only says "look now", and the ref that is read then is
// the truth. [objects.ReadRevision] turns a commit into a [Snapshot], from the objects alone.
// [Trust] says who signed it. [Watcher] looks at a path or a remote and hands
// on each commit that it has not handed on before. The git server is the room
// receive; the repository itself is the room store.
//
// It refuses to know what documents mean, to check anything out, to merge, to
// run a git or an ssh program, and to take a URL from anywhere but the local
// config. It does not know that the engine exists.
// Invariants: a revision is handed on whole or not at all; what a source lost,
// went back to or cannot be reached for takes nothing away; credentials never
// follow a redirect to another host.
//
// Constructors start nothing. [Watcher.Run] blocks until ctx ends and has ended
// all that it started.
package gitwatch

import "vigil/gitwatch/objects"

// The nouns of the room, which its sub-rooms share.
type (
	// Revision is one commit as evidence, whichever way it came.
	Revision = objects.Revision
	// Snapshot is a revision with everything in it.
	Snapshot = objects.Snapshot
	// File is one file of a revision.
	File = objects.File
)
