// Package document reads YAML documents: strict, with positions and owner.
//
// A document has `apiVersion: vigil/v1`, a kind, a name and a spec; JSON is
// read as the YAML it is. An unknown field, a duplicate key, an anchor or
// alias, a merge key, a wrong unit is an issue with file:line:column and a
// hint, and all issues are reported at once. The flat shapes of the original
// system are turned into documents here too.
//
// It refuses I/O and knowledge of what a spec means: policy, check and
// reconcile decode their own nodes with it. Bounded: size, depth and number of
// documents are capped before anything is built. Pure, safe for concurrent use.
package document

// Owner says who may change what a document made.
type Owner string

// The owners. One name under two owners is refused, naming both places.
const (
	Builtin Owner = "builtin"
	Folder  Owner = "folder"
	Git     Owner = "git"
	API     Owner = "api"
)

// Document is one object that somebody wrote.
type Document struct {
	Kind   string
	Name   string
	Labels map[string]string
	Owner  Owner
	Place  string // file:line:column of its first key
	Spec   Node
}
