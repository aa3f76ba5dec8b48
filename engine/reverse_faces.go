package engine

import "context"

// AdoptRequest names one thing of the machine: a unit of systemd, a whole path,
// or with Kind sysctl or process its name.
type AdoptRequest struct {
	Kind string // "", unit, path, sysctl, process; "" is told from What
	What string
	Name string // of the document; "" made from What
	// Anywhere lets the path be one that no document may touch: the asker is on
	// this machine, and may read it anyway.
	Anywhere bool
}

// ManifestFile is one file of a repository.
type ManifestFile struct {
	Path string `json:"path"` // from the root of the tree
	Data []byte `json:"data"`
}

// Manifest is how one thing stands, as a document.
type Manifest struct {
	Ref      string         `json:"ref"`  // Kind/name
	Path     string         `json:"path"` // where the document may go
	Document string         `json:"document"`
	Files    []ManifestFile `json:"files,omitempty"` // that the document names as source, beside it
	Warnings []string       `json:"warnings,omitempty"`
}

// Contents is one file that a resource writes: what should stand in it and what
// stands in it. A side that is no text, too long or sealed is empty, and Note
// says why.
type Contents struct {
	Path   string `json:"path"`
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
	Note   string `json:"note,omitempty"`
}

// DriftRequest asks for a commit that says what was found.
type DriftRequest struct {
	Ref     string // Kind/name
	Reason  string
	Secrets bool // even when what was found looks like a secret
}

// DriftCommit is a commit upon the applied one which says what was found;
// merging it accepts the drift.
type DriftCommit struct {
	Ref     string   `json:"ref"`    // Kind/name
	Branch  string   `json:"branch"` // drift/file-motd
	Commit  string   `json:"commit"`
	Parent  string   `json:"parent"`
	Changed []string `json:"changed"`        // files of the tree
	Fields  []string `json:"fields"`         // what is accepted
	Left    []string `json:"left,omitempty"` // differences that no document can say
}

// FirstCommit is the beginning of the daemon's own repository.
type FirstCommit struct {
	Commit string   `json:"commit"`
	Branch string   `json:"branch"`
	Files  []string `json:"files"`
	Clone  string   `json:"clone,omitempty"` // URL to clone it from
}

// Signer is who signs the commits that vigild itself makes.
type Signer struct {
	Mail  string `json:"mail"`        // of the committer
	Line  string `json:"line"`        // of a list of allowed signers
	Print string `json:"fingerprint"` // of the key
}

// Reverse is the other direction: from how the machine stands to documents and
// commits. Its methods block and may be called concurrently; none of them changes
// the machine.
type Reverse interface {
	// Adopt writes how a thing stands as a document. NotFound: there is no such
	// thing; Unprocessable: no document can say it.
	Adopt(ctx context.Context, r AdoptRequest) (Manifest, error)
	// Contents tells, for a resource that differs, what stands in the files that
	// it writes and what should. NotFound: no such resource.
	Contents(ctx context.Context, ref string) ([]Contents, error)
	// CommitDrift makes the commit. NotFound: no such resource; Conflict: nothing
	// was applied, or nothing differs; Unprocessable: no document can say it.
	CommitDrift(ctx context.Context, actor string, r DriftRequest) (DriftCommit, error)
	// First makes the first commit of the daemon's repository. Conflict: there are
	// commits, or the repository is not the daemon's.
	First(ctx context.Context, actor string) (FirstCommit, error)
	// Signer is who signs these commits; its key is made when there is none yet.
	Signer(ctx context.Context) (Signer, error)
}
