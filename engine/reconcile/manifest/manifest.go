// Package manifest writes documents: how a thing of the machine stands, the
// examples of a first commit, and a changed value in a document that is there.
//
// What the Of functions write, read again and
// compared with the same machine, differs in nothing, but for what a warning
// names. [Edit] changes one value of a text and leaves every other byte; what
// cannot be changed in place is an error and no guess.
//
// It refuses I/O, and knowledge of repositories. Pure; everything may be called
// concurrently.
package manifest

// File is one file of a tree.
type File struct {
	Path string // from the root of the tree
	Data []byte
}
