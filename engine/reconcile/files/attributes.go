// Package files is the kinds of documents that are about files: File, Directory,
// Cron.
//
// A file is compared by its sha256 or, of a managed part, value by value; what a
// document does not speak of is left alone. It refuses commands and places that
// the local trust does not list. What somebody made their own after it was
// written is not taken away as an orphan. Pure but for Observe, which blocks and
// ends with its context.
package files

import (
	"fmt"
	"regexp"
	"strconv"

	"vigil/engine/reconcile"
	"vigil/engine/reconcile/site"
)

// attributes are permissions, owner and group of a file or folder; what is empty is
// left to others.
type attributes struct {
	Permissions string `yaml:"permissions"`
	Owner       string `yaml:"owner"`
	Group       string `yaml:"group"`
}

var account = regexp.MustCompile(`^([a-z_][a-z0-9_.-]{0,31}\$?|[0-9]{1,10})$`)

// check brings the permissions to four octal digits.
func (a *attributes) check(s *site.Site) {
	if a.Permissions != "" {
		m, err := strconv.ParseUint(a.Permissions, 8, 16)
		if err != nil || m > 0o7777 {
			s.Mend("permissions", `write it in quotes, such as "0644"`, "%q is no permissions of a file", a.Permissions)
		}
		a.Permissions = fmt.Sprintf("%04o", m)
		if m&0o6000 != 0 && m&0o111 != 0 {
			s.AsCommand("permissions", "a file that runs as its owner (permissions "+a.Permissions+")")
		}
	}
	for field, v := range map[string]string{"owner": a.Owner, "group": a.Group} {
		if v != "" && !account.MatchString(v) {
			s.Bad(field, "%q is no name and no number of an account", v)
		}
	}
}

func (a attributes) into(st reconcile.State) {
	for name, v := range map[string]string{"permissions": a.Permissions, "owner": a.Owner, "group": a.Group} {
		if v != "" {
			st[name] = v
		}
	}
}

// seen tells the same attributes of what is there, accounts in the spelling of
// the document: by number if it says a number, or if the number has no name.
func (a attributes) seen(f reconcile.File, st reconcile.State) {
	if a.Permissions != "" {
		st["permissions"] = fmt.Sprintf("%04o", f.Mode)
	}
	if a.Owner != "" {
		st["owner"] = spelled(a.Owner, f.Owner, f.UID)
	}
	if a.Group != "" {
		st["group"] = spelled(a.Group, f.Group, f.GID)
	}
}

func spelled(wanted, name string, id uint32) string {
	if name == "" || wanted[0] >= '0' && wanted[0] <= '9' {
		return strconv.FormatUint(uint64(id), 10)
	}
	return name
}

// with puts the attributes into a step.
func (a attributes) with(m map[string]any) map[string]any {
	for name, v := range map[string]string{"permissions": a.Permissions, "owner": a.Owner, "group": a.Group} {
		if v != "" {
			m[name] = v
		}
	}
	return m
}
