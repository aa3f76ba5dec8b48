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

// Version is the apiVersion of every document.
const Version = "vigil/v1"

// The caps on one file.
const (
	MaxBytes     = 1 << 20
	MaxDepth     = 32
	MaxDocuments = 10_000
	maxNodes     = 200_000
	maxLines     = 100_000
	maxItems     = 50_000 // in brackets, nested ones included
	maxName      = 255
)

// Document is one object that somebody wrote.
type Document struct {
	Kind   string
	Name   string
	Labels map[string]string
	Owner  Owner
	Place  string // file:line:column of its first key
	Spec   Node
	// Flat says that Spec is a policy in one of the original's shapes, as it
	// stands: an item of a `policies:` list (name, description, severity, target,
	// enabled, auto_remediate, condition, action, params), or a document of the
	// `match_metric` dialect (name, match_metric, threshold, action, target, cooldown).
	Flat bool
}
