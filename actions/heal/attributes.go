package heal

import (
	"fmt"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"vigil/actions/param"
	"vigil/actions/place"
	"vigil/engine/fault"
)

// attributes are the parameters permissions, owner and group; "" leaves one.
type attributes struct{ permissions, owner, group string }

func readAttributes(p *param.Reader) attributes {
	a := attributes{p.Text("permissions", false), p.Text("owner", false), p.Text("group", false)}
	if a.permissions != "" {
		if m, err := strconv.ParseUint(a.permissions, 8, 16); err != nil || m > 0o7777 {
			p.Bad("permissions", "%q is no octal mode such as 0644", a.permissions)
		}
	}
	return a
}

// program says whether a file with these permissions runs as its owner or group.
func (a attributes) program() bool {
	m, err := strconv.ParseUint(a.permissions, 8, 16)
	return err == nil && runsAsOwner(uint32(m))
}

func runsAsOwner(mode uint32) bool { return mode&0o6000 != 0 && mode&0o111 != 0 }

// numbers looks the accounts up on this host: NotFound names the one that is not
// there.
func (a attributes) numbers() (place.Attributes, error) {
	out := place.Attributes{Mode: -1, UID: -1, GID: -1}
	if a.permissions != "" {
		m, _ := strconv.ParseUint(a.permissions, 8, 16)
		out.Mode = int(m)
	}
	var err error
	if a.owner != "" {
		if out.UID, err = number(a.owner, func(n string) (string, error) {
			u, err := user.Lookup(n)
			if err != nil {
				return "", fault.New(fault.NotFound, "there is no user %q on this host", n).Mend("add it, or name one that is there")
			}
			return u.Uid, nil
		}); err != nil {
			return out, err
		}
	}
	if a.group != "" {
		out.GID, err = number(a.group, func(n string) (string, error) {
			g, err := user.LookupGroup(n)
			if err != nil {
				return "", fault.New(fault.NotFound, "there is no group %q on this host", n).Mend("add it, or name one that is there")
			}
			return g.Gid, nil
		})
	}
	return out, err
}

func number(name string, look func(string) (string, error)) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	id, err := look(name)
	if err != nil {
		return -1, err
	}
	n, err := strconv.ParseUint(id, 10, 31)
	if err != nil {
		return -1, fault.New(fault.Internal, "the id %q of %s is no number", id, name)
	}
	return int(n), nil
}

// differ reports whether something has to be changed.
func differ(a place.Attributes, st unix.Stat_t) bool {
	return a.Mode >= 0 && uint32(a.Mode) != st.Mode&0o7777 || a.UID >= 0 && uint32(a.UID) != st.Uid || a.GID >= 0 && uint32(a.GID) != st.Gid
}

// before are the parameters that bring back, of how a thing stands, what the act
// changes: all of it when the thing goes, else the attributes that it sets.
func (w want) before(st unix.Stat_t) map[string]any {
	m := map[string]any{"path": w.path}
	for _, x := range []struct {
		name, set, is string
	}{
		{"permissions", w.attr.permissions, fmt.Sprintf("%04o", st.Mode&0o7777)},
		{"owner", w.attr.owner, strconv.FormatUint(uint64(st.Uid), 10)},
		{"group", w.attr.group, strconv.FormatUint(uint64(st.Gid), 10)},
	} {
		if w.absent || x.set != "" {
			m[x.name] = x.is
		}
	}
	w.stays(m)
	return m
}
