// Package guard is who may: roles and permissions, tokens, the peers of the
// Unix socket, hosts and origins, and how often anybody may ask.
//
// Everything is denied that no line allows: a permission nobody declared is
// granted to no role, and a caller without a credential has exactly what the
// mode of the listener leaves open. Tokens are 256 random bits; only their
// SHA-256 is kept, compared in constant time. Failed credentials are counted
// per address, and no count ever refuses a credential that is right: nobody
// can lock out another.
//
// It refuses I/O of its own but the token store it is handed, and clocks that
// are not handed in. It starts nothing. All methods may be called concurrently.
package guard

import (
	"strings"

	"vigil/engine/fault"
)

// Permission is what a route asks of its caller. The zero Permission is held by
// nobody: a route that forgot to declare one is closed, and the server refuses
// to start with it.
type Permission uint8

// The permissions.
const (
	Undeclared Permission = iota
	Anyone                // health, documentation: tells nothing of the host
	Read                  // what was measured, decided and done
	Ingest                // push samples
	Operate               // remediations and holds
	Administer            // policies, tokens, backup, pruning the audit
	Fetch                 // the repository of the desired state: every file that is managed
	Push                  // revisions of it
)

var permissionWords = [...]string{"undeclared", "anyone", "read", "ingest", "operate", "administer", "fetch", "push"}

func (p Permission) String() string { return permissionWords[p] }

// Role is what a caller is. The zero Role holds Anyone alone.
type Role uint8

// The roles, by the words of tokens.
const (
	Nobody Role = iota
	Viewer
	Pusher
	Operator
	Admin
	Guest // no credential where the mode leaves reading and ingest open
)

var roleWords = [...]string{"nobody", "viewer", "pusher", "operator", "admin", "guest"}

func (r Role) String() string { return roleWords[r] }

// Roles are those that a token may have.
var Roles = []Role{Viewer, Pusher, Operator, Admin}

// ParseRole reads a token's role.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles {
		if r.String() == s {
			return r, nil
		}
	}
	return Nobody, fault.New(fault.Unprocessable, "%q is not a role", s).Mend("use viewer, pusher, operator or admin")
}

// grants is the whole of authorization: what is not here is denied.
var grants = map[Role][]Permission{
	Nobody:   {Anyone},
	Viewer:   {Anyone, Read, Fetch},
	Pusher:   {Anyone, Ingest},
	Operator: {Anyone, Read, Operate, Fetch, Push},
	Admin:    {Anyone, Read, Ingest, Operate, Administer, Fetch, Push},
	Guest:    {Anyone, Read, Ingest},
}

// May reports whether a role holds a permission.
func (r Role) May(p Permission) bool {
	for _, g := range grants[r] {
		if g == p {
			return true
		}
	}
	return false
}

// Explain says in a sentence who holds a permission, for the documentation.
func (p Permission) Explain() string {
	if p == Anyone {
		return "Open to anyone."
	}
	var who []string
	for _, r := range Roles {
		if r.May(p) {
			who = append(who, r.String())
		}
	}
	s := "Needs the permission `" + p.String() + "`, which tokens of the roles " + strings.Join(who, ", ") + " have."
	if Guest.May(p) {
		s += " With auth `auto`, callers on loopback need no token."
	}
	return s
}

// Caller is who asks, once known.
type Caller struct {
	Actor string // for the audit: token:NAME, local:uid0, open
	Token string // name of the token, "" without one
	Role  Role
	Open  bool // no credential was shown
	Local bool // over the Unix socket
}
