package contract

import "time"

// Desired is where the host stands towards its desired state.
type Desired struct {
	Enabled   bool      `json:"enabled"`
	Mode      string    `json:"mode" enum:"enforce,detect"`
	Source    string    `json:"source,omitempty" example:"push"`
	Branch    string    `json:"branch,omitempty"`
	Applied   string    `json:"applied,omitempty" doc:"Commit that the host was brought to"`
	Good      string    `json:"good,omitempty" doc:"Newest commit that was found healthy"`
	State     string    `json:"state,omitempty" doc:"Of the newest revision"`
	Why       string    `json:"why,omitempty"`
	Resources int       `json:"resources"`
	Drifted   int       `json:"drifted"`
	Unseen    int       `json:"unseen" doc:"Things that cannot be looked at"`
	Stopped   int       `json:"stopped" doc:"Heals that stopped themselves because somebody undoes them"`
	Stalled   string    `json:"stalled,omitempty" doc:"Why the newest commit of the source is not the one that holds"`
	Unread    string    `json:"unread,omitempty" doc:"Why nothing is compared with the machine: the documents of the applied commit cannot be read"`
	Suspends  []Suspend `json:"suspends"`
}

// Difference is one property that is not as it should be. Of content it tells
// the sha256, never the bytes.
type Difference struct {
	Field  string     `json:"field"`
	Wanted string     `json:"wanted"`
	Found  string     `json:"found"`
	Class  string     `json:"class" enum:"pending,drift,conflict,missing,orphan"`
	Since  *time.Time `json:"since"`
}

// Resource is one thing that should be in some way, as it stood when it was last
// looked at.
type Resource struct {
	Ref       string       `json:"ref" example:"File/motd"`
	Kind      string       `json:"kind"`
	Name      string       `json:"name"`
	Subject   string       `json:"subject" example:"file:/etc/motd"`
	Place     string       `json:"place,omitempty" doc:"file:line:column of its document"`
	Mode      string       `json:"mode"`
	Level     int          `json:"level"`
	Status    string       `json:"status" enum:"in_sync,drifted,pending,healing,suspended,stopped,unseen,orphan"`
	Reason    string       `json:"reason,omitempty"`
	Drift     []Difference `json:"drift"`
	Commit    string       `json:"commit,omitempty"`
	WrittenAt *time.Time   `json:"written_at"`
	LookedAt  *time.Time   `json:"looked_at"`
	Heals     int          `json:"heals" doc:"In a row"`
	NextHeal  *time.Time   `json:"next_heal"`
	Paths     []string     `json:"paths,omitempty"`
	Units     []string     `json:"units,omitempty"`
}

// ResourceList is a page of resources by ref. `next` is the cursor of the page
// after it: give it as `after`.
type ResourceList struct {
	Resources []Resource `json:"resources"`
	Total     int        `json:"total" doc:"Of all pages"`
	Next      string     `json:"next,omitempty"`
}

// Contents is one file that a resource writes, with what stands in it.
type Contents struct {
	Path   string `json:"path"`
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
	Note   string `json:"note,omitempty" doc:"Why a side is not shown"`
}

// ContentsList is the files that a resource which differs would write.
type ContentsList struct {
	Ref   string     `json:"ref"`
	Files []Contents `json:"files"`
}

// Drift is one difference that was found, with its end.
type Drift struct {
	ID      int64  `json:"id"`
	Ref     string `json:"ref"`
	Subject string `json:"subject"`
	Difference
	Suspect string     `json:"suspect,omitempty" doc:"Who may have done it"`
	FoundAt *time.Time `json:"found_at"`
	EndedAt *time.Time `json:"ended_at"`
	How     string     `json:"how,omitempty" doc:"How it ended: healed, gone, replaced"`
}

// DriftList is a page of the history, newest first. `next` is the cursor of the
// page after it: give it as `before`.
type DriftList struct {
	Drifts []Drift `json:"drifts"`
	Next   string  `json:"next,omitempty"`
}

// Revision is one commit on its way to be how the host is.
type Revision struct {
	N         int64      `json:"n"`
	Commit    string     `json:"commit"`
	Tree      string     `json:"tree"`
	Ref       string     `json:"ref" example:"refs/heads/main"`
	Subject   string     `json:"subject"`
	Author    string     `json:"author"`
	Signer    string     `json:"signer,omitempty"`
	Source    string     `json:"source"`
	When      *time.Time `json:"when" doc:"The commit's own time"`
	Pusher    string     `json:"pusher,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Confirmed bool       `json:"confirmed" doc:"Many removals are meant"`
	Return    int64      `json:"return,omitempty" doc:"The revision that was left for this one"`
	State     string     `json:"state" enum:"seen,applying,checking,undoing,good,bad,replaced,refused"`
	Why       string     `json:"why,omitempty"`
	Starts    int        `json:"starts"`
	SeenAt    *time.Time `json:"seen_at"`
	BeganAt   *time.Time `json:"began_at"`
	AppliedAt *time.Time `json:"applied_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Items     int        `json:"items"`
	Changed   int        `json:"changed"`
	Pruned    int        `json:"pruned"`
}

// RevisionList is a page of revisions, newest first. `next` is the cursor of the
// page after it: give it as `before`.
type RevisionList struct {
	Revisions []Revision `json:"revisions"`
	Next      string     `json:"next,omitempty"`
}

// PlanStep is one act that a revision would ask for.
type PlanStep struct {
	Ref     string       `json:"ref"`
	Level   int          `json:"level"`
	Action  string       `json:"action"`
	Summary string       `json:"summary"`
	Final   string       `json:"cannot_be_undone,omitempty" doc:"Why"`
	Prune   bool         `json:"prune,omitempty"`
	Because []Difference `json:"because"`
}

// Plan is what a revision would change now.
type Plan struct {
	Commit  string     `json:"commit"`
	From    string     `json:"from,omitempty" doc:"The commit that holds now"`
	Items   int        `json:"items"`
	Steps   []PlanStep `json:"steps"`
	Held    []Resource `json:"held" doc:"Differs, and would be left or cannot be put right"`
	Unseen  []Resource `json:"unseen" doc:"Cannot be looked at now"`
	Own     []string   `json:"own" doc:"Policies and the like"`
	Refused string     `json:"refused,omitempty" doc:"Why it would not be applied at all"`
}

// RollbackRequest returns to a revision that was good.
type RollbackRequest struct {
	Commit string `json:"commit,omitempty" maxLength:"64" doc:"Without it, the newest good one before the one that holds"`
	Reason string `json:"reason" required:"true" minLength:"1" maxLength:"500"`
}

// RetryRequest applies a commit again that was bad.
type RetryRequest struct {
	Commit string `json:"commit" required:"true" minLength:"4" maxLength:"64"`
}

// SuspendRequest leaves things alone for a while.
type SuspendRequest struct {
	Selector string `json:"selector" required:"true" minLength:"1" maxLength:"512" example:"File/motd" doc:"Kind/name, where * is any run of characters; * is everything"`
	Reason   string `json:"reason" required:"true" minLength:"1" maxLength:"500"`
	For      string `json:"for" required:"true" maxLength:"32" example:"2h" doc:"At most 30d"`
}

// Suspend is a person's word that things drift unhealed for a while.
type Suspend struct {
	ID       string     `json:"id"`
	Selector string     `json:"selector"`
	Actor    string     `json:"actor"`
	Reason   string     `json:"reason"`
	From     *time.Time `json:"from"`
	Until    *time.Time `json:"until"`
}

// SuspendList is the suspends that stand.
type SuspendList struct {
	Suspends []Suspend `json:"suspends"`
}

// DriftCommitRequest asks for a commit that says what was found.
type DriftCommitRequest struct {
	Ref     string `json:"ref" required:"true" minLength:"3" maxLength:"512" example:"File/motd"`
	Reason  string `json:"reason,omitempty" maxLength:"500"`
	Secrets bool   `json:"allow_secrets,omitempty" doc:"Even when what was found looks like a secret"`
}

// DriftCommit is the commit; merging its branch accepts the drift.
type DriftCommit struct {
	Ref     string   `json:"ref"`
	Branch  string   `json:"branch" example:"drift/file-motd"`
	Commit  string   `json:"commit"`
	Parent  string   `json:"parent"`
	Changed []string `json:"changed" doc:"Files of the tree"`
	Fields  []string `json:"fields" doc:"What merging it accepts"`
	Left    []string `json:"left" doc:"Differences that no document can say"`
}

// AdoptRequest names one thing of the machine.
type AdoptRequest struct {
	Kind string `json:"kind,omitempty" enum:"unit,path,sysctl,process" doc:"Without it, told from what"`
	What string `json:"what" required:"true" minLength:"1" maxLength:"4096" example:"/etc/motd"`
	Name string `json:"name,omitempty" maxLength:"255" doc:"Of the document"`
}

// ManifestFile is one file of a repository.
type ManifestFile struct {
	Path string `json:"path"`
	Data []byte `json:"data" doc:"Base64"`
}

// Manifest is how one thing stands, as a document.
type Manifest struct {
	Ref      string         `json:"ref"`
	Path     string         `json:"path" doc:"Where the document may go"`
	Document string         `json:"document" doc:"YAML"`
	Files    []ManifestFile `json:"files" doc:"That the document names as source"`
	Warnings []string       `json:"warnings"`
}

// Signer is who signs the commits that the daemon makes itself.
type Signer struct {
	Mail  string `json:"mail" example:"vigild@web1" doc:"Of the committer"`
	Line  string `json:"line" doc:"For a list of allowed signers"`
	Print string `json:"fingerprint" example:"SHA256:..." doc:"Of the key"`
}

// FirstCommit is the beginning of the daemon's own repository.
type FirstCommit struct {
	Commit string   `json:"commit"`
	Branch string   `json:"branch"`
	Files  []string `json:"files"`
	Clone  string   `json:"clone,omitempty" doc:"URL to clone it from"`
}
